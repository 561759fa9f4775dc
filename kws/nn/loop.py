"""A recurrent cell over all frames, with its derivative written out.

Back in time, each step is run once more from the state it began with, and derived; the recurrent
kernel's derivative is one matrix product over all steps after the loop (Appleyard et al. 2016),
where TensorFlow's own loops take one at each step, and keep every intermediate result for it.

The loops carry the next frame's values along: XLA's sigmoids and tanhs of them are three times as
fast as where they read them from the whole.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

Tensors = tuple[tf.Tensor, ...]
Product = Callable[[Tensors], tf.Tensor | None]
Step = Callable[[tf.Tensor, tf.Tensor | None, Tensors], Tensors]


def over_frames(
    step: Step,
    x: tf.Tensor,
    states: Tensors,
    kernel: tf.Tensor | None = None,
    bias: tf.Tensor | None = None,
    mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, Tensors]:
    """Run a cell over frames.

    Parameters
    ----------
    step : of a frame's values, the product of the first state with the kernel (None without one)
        and the states; gives the next states. Nothing is learned of what it reads besides.
    x : (frames, batch, any). states : each (batch, units).
    kernel : (units, width), or None for a cell whose state passes no matrix product.
    bias : (width,), added to that product, or None.
    mask : (batch, units), what the first state is multiplied by before that product.

    Returns
    -------
    the first state after each frame, (frames, batch, units); and the states after the last one.
    """
    weights = [weight for weight in (kernel, bias) if weight is not None]
    if tf.executing_eagerly():  # quantization points that record see each step's values
        return _one_by_one(step, x, states, _product(weights, mask))

    @tf.custom_gradient
    def run(x: tf.Tensor, *rest: tf.Tensor):
        first, weights = rest[: len(states)], rest[len(states) :]
        before, products, last = _ahead(step, x, first, _product(weights, mask))
        outputs = tf.concat([before[0][1:], last[0][None]], axis=0)

        def gradient(d_outputs: tf.Tensor, *d_last: tf.Tensor) -> list[tf.Tensor]:
            back = _back(step, x, before, products, (d_outputs, d_last), weights, mask)
            d_x, d_first, d_products = back
            return [d_x, *d_first, *_of_weights(before[0], d_products, mask, len(weights))]

        return (outputs, *last), gradient

    outputs, *last = run(x, *states, *weights)
    return outputs, tuple(last)


def _ahead(
    step: Step, x: tf.Tensor, first: Tensors, product: Product
) -> tuple[Tensors, tf.Tensor | None, Tensors]:
    """The states before each frame, the products there, and the last states."""
    frames, width = x.shape[0], product(first)

    def body(count, here, states, kept, products):
        heard = product(states)
        kept = tuple(one.write(count, state) for one, state in zip(kept, states, strict=True))
        if heard is not None:
            products = products.write(count, heard)
        following = x[tf.minimum(count + 1, frames - 1)]
        return count + 1, following, step(here, heard, states), kept, products

    kept = tuple(_room(frames, state.shape) for state in first)
    products = _room(frames, () if width is None else width.shape)
    _, _, last, kept, products = tf.while_loop(
        lambda count, *_: count < frames,
        body,
        (tf.constant(0), x[0], tuple(first), kept, products),
        maximum_iterations=frames,
    )
    return tuple(one.stack() for one in kept), None if width is None else products.stack(), last


def _back(step: Step, x, before: Tensors, products, slopes, weights, mask):
    """Derivatives of x, of the first states, and of the products at each frame, or None.

    ``slopes`` are those of the outputs and of the last states; the rest is as ``_ahead`` has it.
    """
    frames, (d_outputs, d_last) = x.shape[0], slopes
    read = [x, *before, *([] if products is None else [products])]

    def body(left, watched, d_output, d_states, d_x, d_products):
        at, states = left - 1, tuple(watched[1 : 1 + len(before)])
        with tf.GradientTape() as tape:
            tape.watch(watched)
            after = step(watched[0], None if products is None else watched[-1], states)
        d_here, *d_states = tape.gradient(
            after,
            watched,
            (d_states[0] + d_output, *d_states[1:]),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        if products is not None:
            d_heard = d_states.pop()
            d_products = d_products.write(at, d_heard)
            d_state = tf.matmul(d_heard, weights[0], transpose_b=True)
            d_states[0] += d_state if mask is None else d_state * mask
        earlier = tf.maximum(at - 1, 0)
        rows = [values[earlier] for values in read]
        return at, rows, d_outputs[earlier], tuple(d_states), d_x.write(at, d_here), d_products

    rows = [values[frames - 1] for values in read]
    d_products = _room(frames, () if products is None else products.shape[1:])
    _, _, _, d_first, d_x, d_products = tf.while_loop(
        lambda left, *_: left > 0,
        body,
        (
            tf.constant(frames),
            rows,
            d_outputs[frames - 1],
            tuple(d_last),
            _room(frames, x.shape[1:]),
            d_products,
        ),
        maximum_iterations=frames,
    )
    return d_x.stack(), d_first, None if products is None else d_products.stack()


def _of_weights(states: tf.Tensor, d_products: tf.Tensor | None, mask, count: int) -> list:
    """Derivatives of the kernel and the bias, as many as there are of them."""
    if d_products is None:
        return []
    heard = _flat(states if mask is None else states * mask)
    d_kernel = tf.matmul(heard, _flat(d_products), transpose_a=True)
    return [d_kernel, tf.reduce_sum(d_products, axis=[0, 1])][:count]


def _one_by_one(step: Step, x: tf.Tensor, states: Tensors, product) -> tuple[tf.Tensor, Tensors]:
    outputs = []
    for frame in range(x.shape[0]):
        states = step(x[frame], product(states), states)
        outputs.append(states[0])
    return tf.stack(outputs), states


def _product(weights: Sequence[tf.Tensor], mask: tf.Tensor | None) -> Product:
    def product(states: Tensors) -> tf.Tensor | None:
        if not weights:
            return None
        found = (states[0] if mask is None else states[0] * mask) @ weights[0]
        return found + weights[1] if len(weights) > 1 else found

    return product


def _room(frames: int, shape) -> tf.TensorArray:
    return tf.TensorArray(tf.float32, frames, element_shape=shape)


def _flat(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, (-1, values.shape[-1]))
