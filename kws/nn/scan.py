"""A linear recurrence over all frames at once."""

import tensorflow as tf


def scan(keep: tf.Tensor, drive: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """All states of ``h[t] = keep[t] h[t-1] + drive[t]``, in log2(frames) passes.

    Pairs (keep, drive) compose associatively (Blelloch 1990; here the doubling form of Hillis &
    Steele 1986).

    Parameters
    ----------
    keep, drive : (frames, batch, units). start : (batch, units), the state before the first frame.

    Returns
    -------
    (frames, batch, units)
    """
    frames, reach = keep.shape[0], 1
    drive = tf.concat([drive[:1] + keep[:1] * start[None], drive[1:]], axis=0)
    while reach < frames:
        drive = tf.concat([drive[:reach], drive[reach:] + keep[reach:] * drive[:-reach]], axis=0)
        keep = tf.concat([keep[:reach], keep[reach:] * keep[:-reach]], axis=0)
        reach *= 2
    return drive
