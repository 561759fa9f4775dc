"""Lines of a model card that can be held against the model file and the recipe they speak of."""

import hashlib
from collections.abc import Sequence

from kws.recipe import FeatureConfig, Recipe
from kws.report.card_data import heard_text, running_text, taught_text
from kws.report.run_facts import recipe_summary
from kws.spotting.metrics import Share, share
from kws.tflite.metadata import Metadata, parse
from kws.tflite.operators import operators


def about(recipe: Recipe, metadata: Metadata, data: bytes, weights: int) -> dict[str, str]:
    """The card's first table: what a model is, and what it takes.

    Parameters
    ----------
    recipe : that of the run. metadata : of the verified file. data : its bytes.
    weights : how many, biases with them.
    """
    others = [label for label in metadata.labels if label not in metadata.keywords]
    apart = f", and tells them from {' and '.join(others)}" if others else ""
    state = f", state {metadata.state}" if metadata.state != "none" else ""
    frames = f"{metadata.frames_per_step} frame{'s' if metadata.frames_per_step > 1 else ''}"
    used, smallest = (metadata.figures[name] for name in ("arena_bytes", "arena_smallest_bytes"))
    macs = metadata.macs_per_second / 1e6
    return {
        "hears": ", ".join(metadata.keywords) + apart,
        "model": recipe_summary(recipe),
        "form": f"{metadata.precision} `{metadata.form}`{state}: one call takes {frames}",
        "features": _features(metadata.features),
        "file": f"{len(data):,} bytes, {weights:,} weights and biases",
        "memory": f"{used:,} bytes of TFLM arena in use, {smallest:,} to start (on a 64-bit host)",
        "work": f"{macs:.2f} million multiply-accumulates a second of audio",
        "operators": " ".join(operators(parse(data, metadata.recipe))),
        "SHA-256": f"`{hashlib.sha256(data).hexdigest()}`",
    }


def row(*values: str) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(values)} |"


def accuracy_row(name: str, right: Share) -> str:
    """An implementation's accuracy on the validation split, with its interval."""
    return row(name, percent(right), interval(right))


def unheard_title(words: Sequence[str], clips: int) -> str:
    """What stands above the rows of :func:`unheard_row`."""
    named = ", ".join(words)
    return f"Words never heard in training ({named}; {clips:,} clips), taken for a keyword:"


def unheard_row(name: str, threshold: float | None, taken: Share, right: Share) -> str:
    """Of words never heard those taken for a keyword, and the accuracy on the split."""
    at = "" if threshold is None else f" ({threshold:.2f})"
    return row(f"{name}{at}", percent(taken), interval(taken), percent(right))


def decoder_text(metadata: Metadata) -> str:
    """The decoder's settings in a few words."""
    decoder = metadata.decoder
    own = "".join(f", {word} {at:.2f}" for word, at in sorted(decoder.keyword_thresholds.items()))
    return f"threshold {decoder.threshold}{own}, mean over {decoder.smoothing_ms:g} ms"


def file_lines(recipe: Recipe, metadata: Metadata, data: bytes, weights: int) -> list[str]:
    """What a file's card must say, as far as the file and its recipe tell; the seed is left open.

    Parameters
    ----------
    As of :func:`about`.
    """
    figures = metadata.figures
    clips = int(figures["validation_clips"])
    lines = {name: row(name, text) for name, text in about(recipe, metadata, data, weights).items()}
    lines["model"] = lines["model"].rpartition(f", seed {recipe.seed}")[0]

    def of(name: str, total: int = clips) -> Share:
        return share(round(figures[name] * total), total)

    found = [
        f"# {metadata.recipe}\n",
        f"\n{recipe.description}\n",
        *lines.values(),
        f"Validation split, {clips:,} clips, ",
        accuracy_row("float Keras", of("float_validation_accuracy")),
        accuracy_row(f"{metadata.precision} TFLM", of("validation_accuracy")),
        heard_text(recipe),
        taught_text(recipe),
        running_text(recipe),
        f"({decoder_text(metadata)})",
    ]
    if unseen := int(figures.get("unseen_clips", 0)):
        found += [
            unheard_title(metadata.unseen_words, unseen),
            unheard_row(
                "plain maximum", None, of("unseen_taken", unseen), of("validation_accuracy")
            ),
        ]
        if not metadata.threshold_choice:  # which is not that of the figures
            right, at = of("threshold_validation_accuracy"), metadata.decoder.threshold
            taken = of("unseen_taken_at_threshold", unseen)
            found.append(unheard_row("decoder's threshold", at, taken, right))
    return found


def percent(value: Share) -> str:
    """Of a share, to two decimals; a dash of nothing."""
    return "–" if value.value is None else f"{value.value:.2%}"


def interval(value: Share) -> str:
    """Wilson's, of 95 %."""
    return f"{value.low:.1%} to {value.high:.1%}"


def _features(config: FeatureConfig) -> str:
    kind = "MFCC" if config.kind == "mfcc" else "log-mel energies in dB"
    bands = f" of {config.mel_bands} mel bands" if config.kind == "mfcc" else ""
    return (
        f"{config.size} {kind}{bands}, {config.low_hz:g} to {config.high_hz:g} Hz, windows of "
        f"{config.window_ms:g} ms every {config.hop_ms:g} ms, {config.sample_rate_hz} Hz mono"
    )
