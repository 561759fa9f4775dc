"""The page about a corpus: its labels, and what is wrong with it, to be seen and heard."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from jinja2 import Environment
from markupsafe import Markup

from kws.audio import io as audio_io
from kws.data.manifest import SPLITS, Clip
from kws.data.quality_corpus import clip_name, path_text, read_clip
from kws.data.quality_findings import Finding, Quality
from kws.errors import AudioError
from kws.files import write_text
from kws.report.page import data_uri, page_environment

WORST = 5
"""Cases of each kind that are drawn and can be played."""
NAMED = 200
"""Cases of each kind that are named."""
LONGEST_S = 3.0
"""Of a clip, from its start, that is drawn and can be played."""
_PLAYED_HZ = (8000, 48000)
"""Lowest and highest rate that is left to a browser as it is."""
_WIDTH, _HEIGHT = 600, 90
_SCALES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


@dataclass(frozen=True)
class Shown:
    """A case as the page shows it."""

    names: tuple[str, ...]
    """Of its clips, or none"""
    text: str
    wave: Markup | None = None
    """SVG of the first clip; None beyond the worst, and for what cannot be read"""
    note: str = ""
    """What the picture is of"""
    audio: str = ""
    """The same as a ``data:`` address"""


def write_quality_page(path: Path, quality: Quality) -> None:
    """Write the page, which needs no other file.

    The clips that are shown are read once more for it.

    Raises
    ------
    StorageError
        When the page cannot be written.
    """
    page = _environment().get_template("quality.html.j2")
    text = page.render(
        quality=quality,
        root=path_text(quality.root),
        splits=SPLITS,
        findings=[(finding, _shown(finding, quality)) for finding in quality.findings],
        most=max(one.clips for one in quality.labels),
        faulty=sum(one.faulty for one in quality.labels),
    )
    write_text(path, text)


def waveform(audio: np.ndarray) -> tuple[Markup, float]:
    """Draw (samples,) audio as SVG; gives also the amplitude at its upper and lower edge.

    A column of the picture reaches from the lowest to the highest of its samples. The dashed lines
    are full scale, where they are in the picture.
    """
    peak = float(np.abs(audio).max())
    scale = min((scale for scale in _SCALES if scale >= peak), default=max(1.0, peak))
    columns = np.array_split(audio, min(_WIDTH, len(audio)))
    middle, reach = _HEIGHT / 2, _HEIGHT / 2 - 2
    step = _WIDTH / len(columns)
    upper = [middle - reach * float(column.max()) / scale for column in columns]
    lower = [middle - reach * float(column.min()) / scale for column in columns]
    points = [(step * (i + 0.5), y) for i, y in enumerate(upper)]
    points += [(step * (i + 0.5), y) for i, y in reversed(list(enumerate(lower)))]
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    edges = "".join(
        f'<path d="M0 {middle - side * reach / scale:.1f}H{_WIDTH}" class="edge"/>'
        for side in ((-1, 1) if scale >= 1.0 else ())
    )
    return Markup(
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none">'
        f'<path d="M0 {middle}H{_WIDTH}" class="middle"/>{edges}'
        f'<path d="M{path}Z" class="wave"/></svg>'
    ), scale


def _shown(finding: Finding, quality: Quality) -> list[Shown]:
    """The worst cases with picture and sound, more with their names only."""
    shown = []
    for number, case in enumerate(finding.cases[:NAMED]):
        names = tuple(clip_name(clip, quality.root) for clip in case.clips)
        if case.clips and number < WORST:
            shown.append(_drawn(case.clips[0], names, case.text, quality.sample_rate_hz))
        else:
            shown.append(Shown(names, case.text))
    return shown


def _drawn(clip: Clip, names: tuple[str, ...], text: str, fallback_hz: int) -> Shown:
    try:
        audio, rate = read_clip(clip, fallback_hz)
        played, played_hz = audio, rate
        if not _PLAYED_HZ[0] <= rate <= _PLAYED_HZ[1]:
            played_hz = fallback_hz
            played = audio_io.read(
                clip.path, played_hz, start_s=clip.start_s, duration_s=clip.duration_s
            )
    except AudioError:  # found so before, or gone since
        return Shown(names, text)
    seconds, longest = len(audio) / rate, round(LONGEST_S * rate)
    wave, scale = waveform(audio[:longest])
    part = f"the first {LONGEST_S:g} s of {seconds:.1f} s" if len(audio) > longest else ""
    note = ", ".join(filter(None, (part or f"{seconds:.2f} s", f"height ±{scale:g}")))
    return Shown(
        names, text, wave, note, _address(played[: round(LONGEST_S * played_hz)], played_hz)
    )


def _address(audio: np.ndarray, sample_rate_hz: int) -> str:
    """The sound as a FLAC file in an address."""
    written = io.BytesIO()
    soundfile.write(written, np.clip(audio, -1, 1), sample_rate_hz, "PCM_16", format="FLAC")
    return data_uri(written.getvalue(), "audio/flac")


def _environment() -> Environment:
    environment = page_environment()
    environment.filters["known"] = lambda value: "–" if value is None else f"{value:,.0f}"
    return environment
