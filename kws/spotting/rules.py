"""Counting by the rules of published wake-word benchmarks, so that figures compare with theirs.

MLPerf Tiny, streaming wake word (github.com/mlcommons/tiny): a word is heard when a detection falls
between its start and half a second after its end; what falls within a second after its end is no
false accept; false accepts less than a second apart are one. At most 8 words missed and 8 false
accepts are wanted. Picovoice's benchmark (github.com/Picovoice/wake-word-benchmark): up to half a
second after the end; figures are the words missed at one false accept in ten hours.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kws.audio.annotation import Recording, SpokenWord
from kws.errors import DataError
from kws.recipe import DecoderConfig
from kws.spotting.metrics import Share, share
from kws.spotting.stream_score import THRESHOLDS, Rate, StreamJudge, rate, with_thresholds

RuleName = Literal["mlperf", "picovoice"]


@dataclass(frozen=True)
class Rules:
    """How detections are counted, in seconds."""

    late_s: float
    """A detection until this long after a word's end hears it"""
    quiet_s: float
    """One until this long after it is no false accept"""
    apart_s: float
    """False accepts less than this apart are one"""


RULES: dict[RuleName, Rules] = {
    "mlperf": Rules(late_s=0.5, quiet_s=1.0, apart_s=1.0),
    "picovoice": Rules(late_s=0.5, quiet_s=0.5, apart_s=0.0),
}
MOST_MLPERF = 8
"""Misses, and false accepts, in the recording"""
PICOVOICE_PER_HOUR = 0.1


@dataclass(frozen=True)
class Counted:
    """What one threshold gives."""

    threshold: float
    missed: Share
    false_accepts: Rate


def count(times_s: Sequence[float], words: Sequence[SpokenWord], rules: Rules) -> tuple[int, int]:
    """Words that were not heard, and false accepts, of detections of one keyword in a recording."""
    heard = [
        any(word.start_s <= time_s <= word.end_s + rules.late_s for time_s in times_s)
        for word in words
    ]
    false, last_s = 0, float("-inf")
    for time_s in sorted(times_s):
        beside = any(word.start_s <= time_s <= word.end_s + rules.quiet_s for word in words)
        if not beside and time_s - last_s >= rules.apart_s:
            false, last_s = false + 1, time_s
    return len(words) - sum(heard), false


def count_at(judge: StreamJudge, rules: Rules, config: DecoderConfig) -> tuple[Share, Rate]:
    """Count all recordings at the thresholds of ``config``; each keyword that is said in them.

    Detections of keywords that are never said are left out: the benchmarks have one keyword.
    """
    missed = false = total = 0
    keywords = said(judge)
    for one, detections in zip(judge.heard, judge.detections(config), strict=True):
        for keyword in keywords:
            words = [word for word in one.recording.words if word.word == keyword]
            times_s = [found.time_s for found in detections if found.keyword == keyword]
            few, many = count(times_s, words, rules)
            missed, false, total = missed + few, false + many, total + len(words)
    return share(missed, total), rate(false, sum(one.seconds for one in judge.heard))


def said(judge: StreamJudge) -> list[str]:
    """The model's keywords that are said in the recordings.

    Raises
    ------
    DataError
        When none is.
    """
    spoken = {word.word for one in judge.heard for word in one.recording.words}
    found = [keyword for keyword in judge.keywords if keyword in spoken]
    if not found:
        raise DataError(
            f"the recordings say {', '.join(sorted(spoken)) or 'nothing'}, the model listens for "
            f"{', '.join(judge.keywords)}: expected a keyword of the model in them"
        )
    return found


def count_by_threshold(judge: StreamJudge, rules: Rules) -> list[Counted]:
    """Misses and false accepts at each threshold, the same for all keywords."""
    return [
        Counted(threshold, *count_at(judge, rules, with_thresholds(judge.config, threshold)))
        for threshold in THRESHOLDS
    ]


def at_rate(counted: Sequence[Counted], most_per_hour: float) -> Counted | None:
    """The fewest misses at a rate of false accepts of at most this; None where none is so low."""
    kept = [
        one
        for one in counted
        if one.false_accepts.per_hour is not None and one.false_accepts.per_hour <= most_per_hour
    ]
    return min(kept, key=lambda one: one.missed.count, default=None)


def passing(counted: Sequence[Counted], most: int = MOST_MLPERF) -> list[Counted]:
    """The thresholds at which neither misses nor false accepts are more than this."""
    return [one for one in counted if max(one.missed.count, one.false_accepts.count) <= most]


def name_all(recordings: Sequence[Recording], keywords: Sequence[str]) -> list[Recording]:
    """Recordings with their words named by :func:`name_words`; its errors."""
    return [replace(one, words=name_words(one.words, keywords)) for one in recordings]


def name_words(words: Sequence[SpokenWord], keywords: Sequence[str]) -> tuple[SpokenWord, ...]:
    """Words without a name, as in a benchmark's list of windows, are the one keyword's.

    Raises
    ------
    DataError
        When the model has several.
    """
    if all(word.word for word in words):
        return tuple(words)
    if len(keywords) != 1:
        raise DataError(
            f"the recording's windows do not tell which word is said, and the model has "
            f"{len(keywords)} keywords ({', '.join(keywords)}); expected a model of one, or "
            "a label file with words"
        )
    return tuple(SpokenWord(word.word or keywords[0], word.start_s, word.end_s) for word in words)
