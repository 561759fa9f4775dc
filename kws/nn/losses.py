"""What training asks of a model's answers, and at which steps of a clip it asks."""

import tensorflow as tf

from kws.recipe import Recipe


def asked(logits: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Of a clip's logits (batch, steps, classes), those at steps that may be asked."""
    return logits if pools(recipe) else logits[:, -recipe.train.loss_frames :]


def pools(recipe: Recipe) -> bool:
    """Whether a clip is answered where a keyword is surest, as :func:`peak_answer` finds it."""
    return recipe.train.loss == "max_pooling"


def loss_of(
    logits: tf.Tensor,
    targets: tf.Tensor,
    taught: tf.Tensor,
    recipe: Recipe,
    carried: tf.Tensor | None = None,
) -> tf.Tensor:
    """What asks for the labels, for the teachers' answers, and for no other keyword anywhere.

    Parameters
    ----------
    logits : (batch, steps, classes), of all steps. targets, taught : (batch, classes).
    carried : (batch, 1), 1 where a clip starts from the state that another left; where not given,
        none does.
    """
    train, keywords = recipe.train, len(recipe.data.keywords)
    settled = _settled(logits, recipe, carried)
    loss = _answer_loss(logits, targets, taught, recipe, settled)
    if train.suppress:
        loss += train.suppress * suppression(logits, targets, keywords, settled)
    return loss


def _settled(logits: tf.Tensor, recipe: Recipe, carried: tf.Tensor | None) -> tf.Tensor:
    """Steps (batch, steps), 1 but for the first ones of a clip that goes on from another's state.

    There a keyword of the clip before may still be heard.
    """
    if carried is None:
        return tf.ones_like(logits[..., 0])
    steps = logits.shape[1]
    later = tf.range(steps) >= min(recipe.train.loss_frames, steps - 1)
    return tf.maximum(1.0 - carried, tf.cast(later, carried.dtype)[None])


def _answer_loss(
    logits: tf.Tensor, targets: tf.Tensor, taught: tf.Tensor, recipe: Recipe, settled: tf.Tensor
) -> tf.Tensor:
    train = recipe.train
    if pools(recipe):
        logits = at_peaks(logits, targets, len(recipe.data.keywords), settled, train.loss_frames)
    else:
        logits = asked(logits, recipe)
    weights = _weights(targets, recipe)
    wanted = targets * (1 - train.label_smoothing) + train.label_smoothing / logits.shape[-1]
    loss = _cross_entropy(logits, wanted, weights)
    if train.distill is None:
        return loss
    share, warmth = train.distill.share, train.distill.temperature
    # The square keeps this part's gradients as large as the other's, whatever the temperature.
    teaching = _cross_entropy(logits / warmth, taught, weights)
    return (1 - share) * loss + share * warmth**2 * teaching


def suppression(
    logits: tf.Tensor, targets: tf.Tensor, keywords: int, settled: tf.Tensor
) -> tf.Tensor:
    """How much posterior other keywords have than a clip's own, at all steps alike.

    The mean over steps, 0 where not settled, of ``-log(1 - p)``, where p is the posterior of all
    keywords that the clip is not: what a step between words, or within a word, would be falsely
    accepted for.

    Parameters
    ----------
    logits : (batch, steps, classes), of all steps. targets : (batch, classes).
    keywords : how many of the classes, the first ones.
    settled : (batch, steps), 1 of steps that count, else 0.
    """
    is_keyword = tf.range(logits.shape[-1]) < keywords
    wrong = tf.logical_and(is_keyword, targets <= 0)[:, None]
    allowed = tf.where(wrong, tf.constant(-1e9, logits.dtype), logits)
    missing = tf.reduce_logsumexp(logits, axis=-1) - tf.reduce_logsumexp(allowed, axis=-1)
    return tf.reduce_mean(missing * settled)


def divergence(wanted: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean Kullback-Leibler divergence of the posteriors from the wanted ones."""
    difference = tf.nn.log_softmax(wanted) - tf.nn.log_softmax(logits)
    return tf.reduce_mean(tf.reduce_sum(tf.nn.softmax(wanted) * difference, axis=-1))


def at_peaks(
    logits: tf.Tensor, targets: tf.Tensor, keywords: int, settled: tf.Tensor, width: int
) -> tf.Tensor:
    """The logits at two runs of steps of each clip, by which max-pooling learns (Sun et al. 2016).

    One is where any keyword has its highest mean posterior, which is what a decoder asks. The other
    is, of a keyword's clip, where its own keyword has it; of another clip the last. Without the
    first one, a keyword that fires where another is said would cost nothing.

    Parameters
    ----------
    logits : (batch, steps, classes). targets : (batch, classes); the largest is the clip's class.
    keywords : how many of the classes, the first ones.
    settled : (batch, steps), 1 of steps whose posteriors count, else 0.
    width : steps of a run; all where a clip has fewer.

    Returns
    -------
    (batch, 2 * width, classes)
    """
    steps, label = logits.shape[1], tf.argmax(targets, axis=1)
    width = min(width, steps)
    own = tf.one_hot(label, logits.shape[-1])[:, None]
    posteriors = tf.stop_gradient(tf.nn.softmax(logits)) * settled[..., None]
    means = tf.nn.avg_pool1d(posteriors, width, 1, "VALID")
    any_peak = tf.argmax(tf.reduce_max(means[..., :keywords], axis=-1), axis=1)
    own_peak = tf.argmax(tf.reduce_sum(means * own, axis=-1), axis=1)
    other = tf.where(label < keywords, own_peak, tf.constant(steps - width, own_peak.dtype))
    starts = tf.repeat(tf.stack([any_peak, other], axis=1), width, axis=1)
    along = tf.tile(tf.range(width, dtype=starts.dtype), [2])
    return tf.one_hot(starts + along, steps) @ logits


def peak_answer(posteriors: tf.Tensor, keywords: int) -> tf.Tensor:
    """The posteriors (batch, classes) where a keyword that is the likeliest label has its highest.

    Of a clip in which no keyword is the likeliest label at any step, those at the last: the step at
    which a keyword that was never heard has its highest posterior is a matter of rounding. As
    :meth:`kws.tflite.interpreter.Runner.classify` finds them: of equal ones the first.
    """
    highest = tf.reduce_max(posteriors[..., :keywords], axis=-1)
    wins = tf.argmax(posteriors, axis=-1) < keywords
    peak = tf.argmax(tf.where(wins, highest, -1.0), axis=1)
    last = tf.constant(posteriors.shape[1] - 1, peak.dtype)
    at = tf.where(tf.reduce_any(wins, axis=1), peak, last)
    return tf.gather(posteriors, at, axis=1, batch_dims=1)


def _weights(targets: tf.Tensor, recipe: Recipe) -> tf.Tensor | None:
    """How much each clip counts (batch, 1): by its class, mixed where classes are."""
    given = recipe.train.class_weights
    if not given:
        return None
    by_class = [given.get(label, 1.0) for label in recipe.data.labels]
    return targets @ tf.constant(by_class, shape=(len(by_class), 1))


def _cross_entropy(logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor | None) -> tf.Tensor:
    """Mean over clips and steps, of (batch, steps, classes) and (batch, classes)."""
    spread = tf.repeat(targets[:, None], logits.shape[1], axis=1)
    losses = tf.nn.softmax_cross_entropy_with_logits(spread, logits)
    return tf.reduce_mean(losses if weights is None else weights * losses)
