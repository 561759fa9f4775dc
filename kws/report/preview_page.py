"""A page on which one hears and sees what augmentation does to clips."""

import io as bytes_io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from markupsafe import Markup
from matplotlib.image import imsave

from kws.audio import io
from kws.audio.features import extract
from kws.audio.spec_augment import spec_augment
from kws.audio.steps import Log
from kws.data.examples import list_sources, more_sources
from kws.data.manifest import TRAINING
from kws.data.source import Source
from kws.data.spoken import Spoken
from kws.data.variants import Making, read_clip, training_making, variants
from kws.errors import AudioError
from kws.files import write_text
from kws.progress import progress
from kws.recipe import AugmentConfig, Recipe
from kws.report.page import data_uri, page_environment

COPIES = 4
"""Most copies of a clip that are shown."""
_COLUMNS = 240
_PICK, _MASKS = 11, 12


@dataclass
class Sound:
    """One sound on the page."""

    title: str
    audio: np.ndarray
    """float32 (clip_samples,)"""
    features: np.ndarray
    """float32 (frames, size), as the model sees them"""
    log: Log = field(default_factory=list)


@dataclass(frozen=True)
class Example:
    """A training clip: clean, where it is not made silence, and in augmented copies."""

    label: str
    name: str
    sounds: list[Sound]


def make_preview(
    recipe: Recipe, root: Path, clips: int, spoken: Spoken | None = None
) -> tuple[list[Example], list[str]]:
    """Vary some training clips of each label, and made words, just as training does.

    Parameters
    ----------
    root : data folder or manifest.
    clips : of each; drawn by the recipe's seed, fewer where there are not as many.
    spoken : what :func:`kws.data.spoken.speak` gives.

    Returns
    -------
    examples in the order of the labels, then made words, and a message for each clip that could
    not be read.

    Raises
    ------
    DataError
        As :func:`kws.data.examples.list_sources` and :func:`kws.data.material.gather_material`.
    """
    labels = recipe.data.labels
    sources = list_sources(root, labels, TRAINING, recipe.data.silence_share, recipe.data.unseen)
    making = training_making(recipe, root, sources)
    sources += more_sources(recipe, sources, spoken)
    order = np.random.default_rng((recipe.seed, _PICK)).permutation(len(sources))
    examples: list[Example] = []
    bad: list[str] = []
    groups: dict[str, list[Source]] = {label: [] for label in labels}
    for source in (sources[index] for index in order):
        name = f"{labels[source.label]}, made" if source.made else labels[source.label]
        groups.setdefault(name, []).append(source)
    with progress("varying clips", len(groups) * clips, "clips") as advance:
        for name, group in groups.items():
            left = clips
            for source in group:
                if left == 0:
                    break
                try:
                    sounds = _sounds(source, recipe, making)
                except AudioError as error:
                    bad.append(str(error))
                    continue
                examples.append(Example(name, _name(source, root), sounds))
                left -= 1
                advance()
    _mask([sound for example in examples for sound in example.sounds if sound.log], recipe)
    return examples, bad


def write_preview(path: Path, recipe: Recipe, examples: list[Example]) -> None:
    """Write the page, which needs no other file; the same examples give the same bytes.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    values = [sound.features for example in examples for sound in example.sounds]
    darkest = min((float(part.min()) for part in values), default=0.0)
    brightest = max((float(part.max()) for part in values), default=1.0)
    environment = page_environment()
    environment.filters["wav"] = lambda sound: _wav(sound.audio, recipe.features.sample_rate_hz)
    environment.filters["waveform"] = lambda sound: Markup(_waveform(sound.audio))
    environment.filters["picture"] = lambda sound: _picture(sound.features, darkest, brightest)
    text = environment.get_template("preview.html.j2").render(
        recipe=recipe,
        settings=_settings(recipe.augment),
        examples=examples,
        darkest=darkest,
        brightest=brightest,
    )
    write_text(path, text)


def _sounds(source: Source, recipe: Recipe, making: Making) -> list[Sound]:
    rate, sounds = recipe.features.sample_rate_hz, []
    if source.path is not None and not source.made:
        clean = io.fit(read_clip(source, rate), recipe.clip_samples)
        sounds.append(Sound("clean", clean, extract(clean, recipe.features)))
    logs: list[Log] = []
    copies = variants(source, making, logs)
    for number, (audio, log) in enumerate(zip(copies, logs, strict=True), 1):
        if source.path is None:
            log.insert(0, ("silence", "made from noise"))
        sounds.append(Sound(f"copy {number}", audio, extract(audio, recipe.features), log))
    return sounds[: COPIES + 1]


def _mask(sounds: list[Sound], recipe: Recipe) -> None:
    """Set the masks of SpecAugment as on one batch; others are set in every epoch."""
    if sounds:
        batch = np.stack([sound.features for sound in sounds])
        rng = np.random.default_rng((recipe.seed, _MASKS))
        for sound, masked in zip(sounds, spec_augment(batch, recipe.augment, rng), strict=True):
            sound.features = masked


def _name(source: Source, root: Path) -> str:
    if source.path is None:
        return f"made silence {source.number}"
    if source.made:
        return f"made word {source.number}"
    return source.name_in(root)


def _settings(config: AugmentConfig) -> list[tuple[str, str]]:
    """Name and value of each setting."""
    rows = []
    for name in AugmentConfig.model_fields:
        value = getattr(config, name)
        if isinstance(value, tuple):
            value = (", " if name == "codecs" else " to ").join(map(str, value))
        rows.append((name, "–" if value is None else str(value)))
    return rows


def _wav(audio: np.ndarray, sample_rate_hz: int) -> str:
    """16-bit WAV as a data URI."""
    written = bytes_io.BytesIO()
    soundfile.write(written, io.as_int16(audio), sample_rate_hz, format="WAV", subtype="PCM_16")
    return data_uri(written.getvalue(), "audio/wav")


def _picture(features: np.ndarray, darkest: float, brightest: float) -> str:
    """A PNG of one pixel a value as a data URI, time to the right, bands upwards."""
    written = bytes_io.BytesIO()
    imsave(
        written,
        features.T,
        vmin=darkest,
        vmax=max(brightest, darkest + 1e-6),
        cmap="magma",
        origin="lower",
        format="png",
    )
    return data_uri(written.getvalue(), "image/png")


def _waveform(audio: np.ndarray) -> str:
    """An SVG path around the lowest and highest sample of each of some columns; full scale 100."""
    columns = np.array_split(audio, min(_COLUMNS, len(audio)))
    upper = [f"{place} {-100 * part.max():.0f}" for place, part in enumerate(columns)]
    lower = [f"{place} {1 - 100 * part.min():.0f}" for place, part in enumerate(columns)]
    return f'<path d="M{"L".join(upper)}L{"L".join(reversed(lower))}Z"/>'
