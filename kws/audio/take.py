"""One take at the microphone: the word cut out of it, and what is wrong with it."""

from dataclasses import dataclass

import numpy as np

from kws.audio.level import dbfs
from kws.audio.noise import loud_power
from kws.audio.word import Span, find_words

QUIETEST_DBFS = -40.0
"""Speech below this is too quiet; a twentieth of Speech Commands is."""
LOWEST_SNR_DB = 12.0
FULL_SCALE = 0.98
"""Amplitude that counts as full scale: resampling moves a clipped sample's value a little."""
_CLIPPED_SAMPLES = 3
_EDGE_MS = 30.0
_OTHER_MS, _OTHER_DB = 80.0, -25.0
"""A second sound counts as a word when it is as long, and at most so much weaker than the word."""


@dataclass(frozen=True)
class Problem:
    """Why a take should be said again: a name for the log, a sentence for the speaker."""

    kind: str
    sentence: str


@dataclass(frozen=True)
class Take:
    """A recording that was looked at."""

    recording: np.ndarray
    """float32 (samples,), all that was heard"""
    sample_rate_hz: int
    clip: np.ndarray
    """float32, the part to keep, the word in its middle; the recording's middle if no word is"""
    word: tuple[float, float] | None
    """where the word begins and ends in ``clip``, seconds"""
    level_dbfs: float
    """of the word's loud part, root mean square"""
    peak_dbfs: float
    noise_dbfs: float
    """beside the words, root mean square"""
    problems: tuple[Problem, ...]

    @property
    def passes(self) -> bool:
        """Nothing is wrong with it."""
        return not self.problems

    @property
    def snr_db(self) -> float:
        """How far the word is above the noise."""
        return self.level_dbfs - self.noise_dbfs


def judge(recording: np.ndarray, sample_rate_hz: int, clip_s: float) -> Take:
    """Find the word in a recording, cut a clip around it and check it.

    The clip has ``clip_s`` seconds of the recording as it was heard, nothing added; the word is in
    its middle, or nearer to an end where the recording begins or ends too soon.

    Parameters
    ----------
    recording : float32 (samples,), longer than the clip, so that there is noise beside the word.
    """
    samples = round(clip_s * sample_rate_hz)
    assert len(recording) > samples, "a recording is longer than the clip to be cut out of it"
    spans = find_words(recording, sample_rate_hz)
    word = max(spans, key=lambda span: span.strength, default=None)
    middle = (word.start + word.end) // 2 if word else len(recording) // 2
    start = min(max(0, middle - samples // 2), len(recording) - samples)
    clip = recording[start : start + samples]
    level_dbfs = _level_dbfs(recording, word, sample_rate_hz) if word else dbfs(0.0)
    noise_dbfs = _noise_dbfs(recording, spans, sample_rate_hz)
    within = None
    if word:
        ends = (min(max(0, end - start), samples) for end in (word.start, word.end))
        first, last = (end / sample_rate_hz for end in ends)
        within = (first, last)
    if word is None:
        problems = [_no_word(recording)]
    else:
        problems = [
            *_wrong_place(recording, word, spans, sample_rate_hz, clip_s),
            *_wrong_level(clip, level_dbfs, noise_dbfs),
        ]
    peak_dbfs = dbfs(float(np.abs(clip).max()))
    levels = (level_dbfs, peak_dbfs, noise_dbfs)
    return Take(recording, sample_rate_hz, clip, within, *levels, tuple(problems))


def _no_word(recording: np.ndarray) -> Problem:
    if not recording.any():
        return Problem("no word", "the microphone gives digital silence: switch it on or unmute it")
    return Problem(
        "no word", "nothing stands out of the noise: say the word at the signal, closer or louder"
    )


def _wrong_place(
    recording: np.ndarray, word: Span, spans: list[Span], sample_rate_hz: int, clip_s: float
) -> list[Problem]:
    """Cut off, too long, not alone."""
    problems = []
    edge = round(_EDGE_MS * sample_rate_hz / 1000)
    if word.start < edge:
        problems.append(
            Problem("cut off", "the word begins before the recording: wait for the signal")
        )
    if word.end > len(recording) - edge:
        problems.append(Problem("cut off", "the recording ends in the word: speak sooner"))
    length_s = (word.end - word.start) / sample_rate_hz
    if length_s > clip_s:
        sentence = (
            f"the word takes {length_s:.2f} s, a clip holds {clip_s:g} s: say it faster, "
            "or record with a larger --clip-seconds"
        )
        problems.append(Problem("too long", sentence))
    for other in spans:
        if other is not word and _is_word(recording, other, word, sample_rate_hz):
            start_s, end_s = other.start / sample_rate_hz, other.end / sample_rate_hz
            sentence = (
                f"there is another sound from {start_s:.2f} to {end_s:.2f} s: "
                "say the word once, without noise beside it"
            )
            problems.append(Problem("two words", sentence))
            break
    return problems


def _wrong_level(clip: np.ndarray, level_dbfs: float, noise_dbfs: float) -> list[Problem]:
    """Too quiet, clipped, too noisy."""
    problems = []
    if level_dbfs < QUIETEST_DBFS:
        sentence = (
            f"speech at {level_dbfs:.0f} dBFS, expected {QUIETEST_DBFS:.0f} or more: "
            "come closer, or raise the microphone's gain"
        )
        problems.append(Problem("too quiet", sentence))
    clipped = int(np.sum(np.abs(clip) >= FULL_SCALE))
    if clipped >= _CLIPPED_SAMPLES:
        sentence = f"{clipped} samples at full scale: step back, or lower the microphone's gain"
        problems.append(Problem("clipped", sentence))
    if level_dbfs - noise_dbfs < LOWEST_SNR_DB:
        sentence = (
            f"speech only {level_dbfs - noise_dbfs:.0f} dB above the noise, expected "
            f"{LOWEST_SNR_DB:.0f} or more: come closer, or find a quieter place"
        )
        problems.append(Problem("too noisy", sentence))
    return problems


def _is_word(recording: np.ndarray, other: Span, word: Span, sample_rate_hz: int) -> bool:
    """Whether a second sound is long and loud enough to be taken for a word."""
    if (other.end - other.start) * 1000 / sample_rate_hz < _OTHER_MS:
        return False
    levels = [_level_dbfs(recording, span, sample_rate_hz) for span in (other, word)]
    return levels[0] - levels[1] >= _OTHER_DB


def _level_dbfs(recording: np.ndarray, span: Span, sample_rate_hz: int) -> float:
    part = recording[span.start : span.end]
    return dbfs(loud_power(part - recording.mean(), sample_rate_hz) ** 0.5)


def _noise_dbfs(recording: np.ndarray, spans: list[Span], sample_rate_hz: int) -> float:
    """Level outside of all spans; of the quietest 20 ms where they leave nothing."""
    audio = recording - recording.mean()
    outside = np.ones(len(audio), bool)
    for span in spans:
        outside[span.start : span.end] = False
    size = round(0.02 * sample_rate_hz)
    if outside.sum() >= size:
        return dbfs(float(np.mean(np.square(audio[outside]))) ** 0.5)
    frames = audio[: len(audio) // size * size].reshape(-1, size)
    return dbfs(float(np.mean(np.square(frames), axis=1).min()) ** 0.5)
