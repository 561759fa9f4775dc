"""The compressed form of a converted model: written, and proven to answer as the plain one does."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.errors import ModelError
from kws.files import write_bytes
from kws.progress import progress
from kws.tflite.arena import arena_bytes, smallest_arena
from kws.tflite.compressed import Kernel, compress, deflated_bytes
from kws.tflite.interpreter import Runner
from kws.tflite.metadata import NAME, metadata_json, parse, read_metadata
from kws.tflite.pack import pack


@dataclass(frozen=True)
class Compressed:
    """What a compressed file saves, and what it takes for that."""

    file: str
    file_bytes: int
    plain_file_bytes: int
    deflated_bytes: int
    plain_deflated_bytes: int
    arena_bytes: int
    plain_arena_bytes: int
    arena_smallest_bytes: int
    """Needed to start, as of the plain file in its verification"""
    clips: int
    """Whose answers, and states, were the same byte for byte"""
    kernels: tuple[Kernel, ...]


def compressed_path(plain: Path) -> Path:
    """Where the compressed form of a file lies: ``model_compressed.tflite``."""
    return plain.with_name(f"{plain.stem}_compressed{plain.suffix}")


def write_compressed(data: bytes, plain: Path, features: np.ndarray) -> Compressed:
    """Compress a model, prove it on clips in TFLM, and write it beside the plain file.

    Parameters
    ----------
    data : the model as it is in the file ``plain``.
    features : (clips, frames, size), raw.

    Raises
    ------
    ModelError
        When no kernel gets smaller, or when TFLM answers otherwise.
    """
    made, kernels = compress(data)
    if made == data:
        raise ModelError(
            f"{plain}: no kernel of few values or many zeros in it, nothing to compress; train "
            "with compress.cluster or compress.prune in the recipe"
        )
    _prove(data, made, features)
    used = arena_bytes(made)
    smallest = smallest_arena(made, used)
    final = _with_figures(made, {"arena_bytes": used, "arena_smallest_bytes": smallest})
    path = compressed_path(plain)
    write_bytes(path, final)
    return Compressed(
        file=path.name,
        file_bytes=len(final),
        plain_file_bytes=len(data),
        deflated_bytes=deflated_bytes(final),
        plain_deflated_bytes=deflated_bytes(data),
        arena_bytes=used,
        plain_arena_bytes=arena_bytes(data),
        arena_smallest_bytes=smallest,
        clips=len(features),
        kernels=tuple(kernels),
    )


def _prove(plain: bytes, made: bytes, features: np.ndarray) -> None:
    runners = Runner(plain, "tflm", "plain"), Runner(made, "tflm", "compressed")
    with progress("comparing", len(features), "clips") as advance:
        for number, clip in enumerate(features.astype(np.float32)):
            one, other = (runner.classify(clip) for runner in runners)
            states = zip(runners[0].state, runners[1].state, strict=True)
            if not np.array_equal(one, other) or not all(np.array_equal(*pair) for pair in states):
                raise ModelError(
                    f"clip {number}: the compressed model answers otherwise than the plain one in "
                    "TFLM; is tflite-micro's version the pinned one?"
                )
            advance()


def _with_figures(data: bytes, figures: dict[str, float | int]) -> bytes:
    """The file with some of its measured figures set anew."""
    model = parse(data, "the compressed model")
    facts = read_metadata(model, "the compressed model")
    facts = facts.model_copy(update={"figures": {**facts.figures, **figures}})
    for entry in model.metadata:
        if entry.name in (NAME, NAME.encode()):
            model.buffers[entry.buffer].data = np.frombuffer(metadata_json(facts), np.uint8)
    return pack(model)
