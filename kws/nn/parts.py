"""A batch in parts, each computed on a processor of its own.

What XLA compiles walks over frames on one processor. TensorFlow runs several calls of it at once,
where none of them changes a variable.
"""

from collections.abc import Callable, Sequence

import joblib
import tensorflow as tf

_SMALLEST = 32
"""Clips in a part: with fewer, a step's own cost outweighs what is gained."""


def parts_of(clips: int) -> int:
    """Into how many equal parts a batch goes: at most one a processor; all in one for a GPU."""
    if tf.config.list_physical_devices("GPU"):
        return 1
    most = min(joblib.cpu_count(), clips // _SMALLEST)
    return next(count for count in range(max(1, most), 0, -1) if clips % count == 0)


def in_parts(compute: Callable, batch: Sequence[tf.Tensor], count: int) -> list:
    """What a compiled function gives for each part; to be called within a ``tf.function``.

    Parameters
    ----------
    compute : of a part of each of the batch's tensors, and the part's index, a scalar int32.
    batch : tensors (clips, ...), clips a multiple of ``count``.
    """
    parts = [tf.split(values, count) for values in batch]
    return [compute(*part, tf.constant(at)) for at, part in enumerate(zip(*parts, strict=True))]


def mean(found: Sequence[Sequence[tf.Tensor]]) -> list[tf.Tensor]:
    """Of each tensor, its mean over the parts."""
    return [tf.add_n(list(same)) / len(found) for same in zip(*found, strict=True)]
