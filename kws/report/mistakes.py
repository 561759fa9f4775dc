"""The worst mistakes of a model as a page shows them: to be heard and seen."""

import io
from dataclasses import dataclass

import numpy as np
import soundfile
from markupsafe import Markup
from matplotlib.image import imsave

from kws.audio.features import extract
from kws.recipe import FeatureConfig, Recipe
from kws.report.answers import Answers, worst_mistakes
from kws.report.page import data_uri

NAMED = 500
"""Mistakes that are listed by name."""
_FLOOR_DB = 70.0
"""What is so far below the loudest is black."""
_COLUMNS = 200
"""Of a spectrogram, at least."""
_BARS = 3
_VISIBLE = 0.02


@dataclass(frozen=True)
class Named:
    """A wrongly answered clip."""

    name: str
    truth: str
    answer: str
    truth_posterior: float
    answer_posterior: float


@dataclass(frozen=True)
class Shown:
    """One of the worst, with its sound and pictures."""

    named: Named
    wav: str
    """A ``data:`` address, as the next"""
    spectrogram: str
    curves: Markup
    """SVG of the posteriors over time; empty where the model was called once"""
    bars: tuple[tuple[str, float, str], ...]
    """The highest last posteriors: label, value, and its kind as in the curves"""


def show_mistakes(answers: Answers, recipe: Recipe, most: int) -> tuple[list[Shown], list[Named]]:
    """The ``most`` worst mistakes, and the names of all up to ``NAMED``; the worst come first."""
    named = [
        _named(answers, index, recipe.data.labels)
        for index in worst_mistakes(answers.posteriors, answers.truth)[:NAMED].tolist()
    ]
    count = min(most, len(answers.worst))
    return [_shown(answers, at, named[at], recipe) for at in range(count)], named


def _named(answers: Answers, clip: int, labels: tuple[str, ...]) -> Named:
    truth, answer = int(answers.truth[clip]), int(answers.given[clip])
    posteriors = answers.posteriors[clip]
    return Named(
        str(answers.names[clip]),
        labels[truth],
        labels[answer],
        float(posteriors[truth]),
        float(posteriors[answer]),
    )


def _shown(answers: Answers, at: int, named: Named, recipe: Recipe) -> Shown:
    labels, clip = recipe.data.labels, answers.worst[at]
    truth, answer = int(answers.truth[clip]), int(answers.given[clip])
    kinds = {truth: "right", answer: "wrong"}
    last = answers.posteriors[clip]
    highest = np.argsort(-last, kind="stable")[:_BARS].tolist()
    bars = highest if truth in highest else [*highest, truth]
    return Shown(
        named=named,
        wav=_wav(answers.audio[at], recipe.features.sample_rate_hz),
        spectrogram=_spectrogram(answers.audio[at], recipe.features),
        curves=_curves(answers.steps[at], kinds, recipe),
        bars=tuple((labels[i], float(last[i]), kinds.get(i, "other")) for i in bars),
    )


def _wav(audio: np.ndarray, sample_rate_hz: int) -> str:
    written = io.BytesIO()
    soundfile.write(written, audio, sample_rate_hz, format="WAV", subtype="PCM_16")
    return data_uri(written.getvalue(), "audio/wav")


def _spectrogram(audio: np.ndarray, features: FeatureConfig) -> str:
    """A PNG of log-mel frames in the recipe's bands, closer together; bands upwards."""
    seconds = len(audio) / features.sample_rate_hz
    hop_ms = min(features.hop_ms, 1000 * seconds / _COLUMNS)
    config = features.model_copy(update={"kind": "log_mel", "coefficients": None, "hop_ms": hop_ms})
    around = np.pad(audio / 32768, features.fft_size // 2)  # frames stand over their middle
    values = extract(around, config)
    loudest = float(values.max())
    written = io.BytesIO()
    imsave(
        written,
        values.T,
        vmin=loudest - _FLOOR_DB,
        vmax=loudest,
        cmap="magma",
        origin="lower",
        format="png",
    )
    return data_uri(written.getvalue(), "image/png")


def _curves(steps: np.ndarray, kinds: dict[int, str], recipe: Recipe) -> Markup:
    """Lines of posteriors in a box of 1000 by 100, 1000 being the clip's length.

    A posterior stands where the last sample that it knows is.
    """
    if len(steps) == 1:
        return Markup()
    features = recipe.features
    last_frames = recipe.clip_frames - 1 - recipe.model.stride * np.arange(len(steps))[::-1]
    ends = (last_frames * features.hop_samples + features.fft_size) / recipe.clip_samples
    lines = []
    order = sorted(range(steps.shape[1]), key=lambda label: (label in kinds, label))
    for label in order:  # the two that matter are drawn on top
        if steps[:, label].max() < _VISIBLE and label not in kinds:
            continue
        points = " ".join(
            f"{1000 * x:.0f},{100 - 100 * y:.1f}"
            for x, y in zip(ends, steps[:, label], strict=True)
        )
        lines.append(f'<polyline class="{kinds.get(label, "other")}" points="{points}"/>')
    return Markup("".join(lines))
