"""The sound of false accepts in long recordings, kept in files to hear and to train on.

What a detector is wrong about is what its next training should hear (hard negative mining; Sung and
Poggio 1998). Near misses are taken too: with other thresholds, or in another voice, they are next.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kws.audio.annotation import Recording
from kws.audio.blocks import read_to_hear
from kws.audio.io import write
from kws.files import require_new, write_table
from kws.progress import progress
from kws.recipe import DecoderConfig
from kws.spotting.decoder import Detection
from kws.spotting.stream_score import StreamJudge, with_thresholds
from kws.spotting.triggers import AFTER_S, BEFORE_S, NEAR

TABLE = "false_accepts.csv"
_COLUMNS = ("path", "recording", "time_s", "keyword", "score")


@dataclass(frozen=True)
class Mined:
    """What was kept."""

    saved: int
    beside_words: int
    """Left out: a keyword is said within their sound"""


def mine(judge: StreamJudge, decoder: DecoderConfig, folder: Path, rate_hz: int) -> Mined:
    """Write ``<folder>/<keyword>/<number>.wav`` for each false accept, and a table of them.

    A score that reaches ``NEAR`` of its threshold counts.

    Raises
    ------
    DataError
        When the folder holds something.
    """
    require_new(folder, "--save-false-accepts")
    near = {keyword: NEAR * decoder.threshold_of(keyword) for keyword in judge.keywords}
    lowered = with_thresholds(decoder, NEAR * decoder.threshold, near)
    rows: list[tuple[object, ...]] = []
    beside = 0
    with progress("keeping false accepts", len(judge.heard), "recordings") as advance:
        for one, found in zip(judge.heard, judge.detections(lowered), strict=True):
            free = [each for each in found if not _beside(each, one.recording, judge.keywords)]
            beside += len(found) - len(free)
            audio = read_to_hear(one.recording.path, rate_hz) if free else np.zeros(0, np.float32)
            for each in free:
                name = f"{each.keyword}/{len(rows):06d}.wav"
                write(folder / name, _around(audio, each.time_s, rate_hz), rate_hz)
                time_s, score = f"{each.time_s:.2f}", f"{each.score:.3f}"
                rows.append((name, one.recording.path, time_s, each.keyword, score))
            advance()
    write_table(folder / TABLE, _COLUMNS, rows)
    return Mined(len(rows), beside)


def _beside(found: Detection, recording: Recording, keywords: tuple[str, ...]) -> bool:
    """Whether a keyword is said within what would be kept of a detection."""
    first, last = found.time_s - BEFORE_S, found.time_s + AFTER_S
    return any(
        word.word in keywords and word.start_s < last and word.end_s > first
        for word in recording.words
    )


def _around(audio: np.ndarray, time_s: float, rate_hz: int) -> np.ndarray:
    return audio[max(0, round((time_s - BEFORE_S) * rate_hz)) : round((time_s + AFTER_S) * rate_hz)]
