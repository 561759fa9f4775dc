"""Misses, false accepts per hour and thresholds, on recordings worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from kws.audio.annotation import Recording, SpokenWord
from kws.recipe import DecoderConfig
from kws.spotting.hearing import Heard
from kws.spotting.matching import Tolerance
from kws.spotting.metrics import wilson_interval
from kws.spotting.operating_point import choose_thresholds
from kws.spotting.stream_score import StreamJudge, poisson_interval, rate, with_thresholds

LABELS = ("yes", "no", "unknown")
PER_SECOND = 10
CONFIG = DecoderConfig(smoothing_ms=100, threshold=0.5, refractory_ms=300)


def recording(
    seconds: float,
    peaks: list[tuple[float, str, float]],
    words: list[tuple[str, float, float]],
    name: str = "a",
) -> Heard:
    """Posteriors that say unknown but for single calls at given times, of keyword and height."""
    calls = round(seconds * PER_SECOND)
    posteriors = np.tile(np.array([0, 0, 1.0]), (calls, 1))
    for time_s, keyword, height in peaks:
        call = round(time_s * PER_SECOND) - 1
        posteriors[call] = 0
        posteriors[call, LABELS.index(keyword)] = height
    times_s = np.arange(1, calls + 1) / PER_SECOND
    said = tuple(SpokenWord(word, start, end) for word, start, end in words)
    return Heard(Recording(Path(name), said), seconds, posteriors, times_s)


def judge(*heard: Heard, tolerance: Tolerance | None = None) -> StreamJudge:
    return StreamJudge(heard, LABELS, CONFIG, PER_SECOND, tolerance)


def test_hits_misses_and_false_accepts_by_hand():
    one = recording(
        1800,
        [(10.5, "yes", 1.0), (20.5, "no", 0.9), (99, "no", 0.8), (500, "yes", 0.6)],
        [("yes", 10, 10.4), ("no", 20, 20.6), ("yes", 30, 30.5), ("house", 99, 99.5)],
    )
    other = recording(1800, [(3, "no", 0.7)], [("no", 7, 7.5)], "b")
    scores = judge(one, other).score()
    assert (scores.missed.count, scores.missed.total) == (2, 4)
    assert (scores.false_accepts.count, scores.false_accepts.hours) == (3, 1.0)
    assert scores.false_accepts.per_hour == 3
    by_word = {one.keyword: one for one in scores.keywords}
    assert (by_word["yes"].missed.count, by_word["yes"].missed.total) == (1, 2)
    assert (by_word["no"].missed.count, by_word["no"].missed.total) == (1, 2)
    assert by_word["yes"].false_accepts.count == 1
    assert by_word["no"].false_accepts.count == 2


def test_keywords_taken_for_another_are_counted_apart_from_false_accepts_of_nothing():
    """no for yes; yes of nothing; yes again where it was heard before; and one only missed."""
    heard = recording(
        3600,
        [(10.5, "no", 1.0), (50, "yes", 1.0), (70.3, "yes", 0.9), (70.9, "yes", 0.9)],
        [("yes", 10, 10.4), ("yes", 70, 70.4), ("no", 90, 90.5)],
    )
    scores = judge(heard).score()
    assert (scores.missed.count, scores.false_accepts.count) == (2, 3)
    assert (scores.confused.count, scores.confused.total) == (1, 3)
    (matched,) = judge(heard).match(CONFIG)
    ((word, detection),) = matched.confused
    assert (word.word, word.start_s, detection.keyword) == ("yes", 10, "no")


def test_one_false_detection_is_taken_for_one_missed_word_only():
    heard = recording(60, [(10.7, "no", 1.0)], [("yes", 10, 10.2), ("yes", 10.4, 10.6)])
    assert judge(heard).score().confused.count == 1
    assert judge(recording(60, [], [])).score().confused.value is None


def test_latency_is_from_the_words_end():
    heard = recording(
        100,
        [(10.5, "yes", 1), (20.5, "yes", 1), (30.5, "yes", 1)],
        [("yes", 10, 10.4), ("yes", 20, 20.6), ("yes", 30, 30.2)],
    )
    latency = judge(heard).score().latency
    assert latency.median_s == pytest.approx(0.1)
    assert latency.largest_s == pytest.approx(0.3)
    assert latency.p90_s == pytest.approx(0.1 + 0.8 * 0.2)
    assert judge(recording(100, [], [])).score().latency is None


def test_words_detected_within_a_quarter_of_a_second_are_counted():
    """Detected 0.1 s before the word's end, at the target, beyond it; and one that is missed."""
    heard = recording(
        100,
        [(10.5, "yes", 1), (20.5, "yes", 1), (30.5, "yes", 1)],
        [("yes", 10, 10.6), ("yes", 20, 20.25), ("yes", 30, 30.2), ("yes", 50, 50.5)],
    )
    found = judge(heard).score().latency.within_250_ms
    assert (found.count, found.total, found.value) == (2, 3, pytest.approx(2 / 3))
    assert (found.low, found.high) == pytest.approx(wilson_interval(2, 3))


def test_the_tolerance_decides_what_is_a_hit():
    heard = recording(100, [(11, "yes", 1)], [("yes", 10, 10.4)])
    assert judge(heard).score().missed.count == 0
    strict = judge(heard, tolerance=Tolerance(late_s=0.5)).score()
    assert (strict.missed.count, strict.false_accepts.count) == (1, 1)


def test_detections_have_the_times_and_scores_of_the_calls():
    heard = recording(100, [(11, "yes", 0.75)], [])
    ((found,),) = judge(heard).detections(CONFIG)
    assert (found.keyword, found.time_s, found.score) == ("yes", 11.0, 0.75)


def test_a_higher_threshold_misses_more_and_accepts_less():
    heights = np.linspace(0.22, 0.97, 16)
    peaks = [(10.0 * i + 10, "yes", height) for i, height in enumerate(heights)]
    words = [("yes", 10.0 * i + 9.5, 10.0 * i + 10) for i in range(0, 16, 2)]
    points = judge(recording(200, peaks, words)).trade_off()
    missed = [point.scores.missed.count for point in points]
    false = [point.scores.false_accepts.count for point in points]
    assert missed == sorted(missed)
    assert false == sorted(false, reverse=True)
    assert (missed[0], false[0]) == (0, 8)
    assert (missed[-1], false[-1]) == (8, 0)
    half = next(point for point in points if point.threshold == 0.5)
    above = [i for i, height in enumerate(np.round(heights * 256)) if height >= 128]
    assert half.scores.missed.count == 8 - sum(i % 2 == 0 for i in above)
    assert half.scores.false_accepts.count == sum(i % 2 for i in above)


def test_poisson_intervals_from_tables():
    """Garwood's limits of 0, 1, 10 events; of none, 3.689 (Poisson tables, 95 %)."""
    assert poisson_interval(0, 1) == pytest.approx((0, 3.689), abs=1e-3)
    assert poisson_interval(1, 1) == pytest.approx((0.0253, 5.572), abs=1e-3)
    assert poisson_interval(10, 1) == pytest.approx((4.795, 18.390), abs=1e-3)
    assert poisson_interval(10, 5) == pytest.approx((4.795 / 5, 18.390 / 5), abs=1e-3)
    assert poisson_interval(0, 0) == (0, float("inf"))
    assert rate(0, 0).per_hour is None
    with pytest.raises(ValueError, match="-1 events"):
        poisson_interval(-1, 1)


def one_hour(yes_true, yes_false, no_true, no_false) -> Heard:
    """Heights of true and false peaks, twenty seconds apart."""
    peaks, words, at = [], [], 20.0
    for keyword, true, false in (("yes", yes_true, yes_false), ("no", no_true, no_false)):
        for height in true:
            peaks.append((at, keyword, height))
            words.append((keyword, at - 0.5, at))
            at += 20
        for height in false:
            peaks.append((at, keyword, height))
            at += 20
    return recording(3600, peaks, words)


def test_false_accepts_are_spent_on_the_keyword_where_they_save_most():
    heard = one_hour(
        yes_true=[0.5] * 8 + [0.9] * 2,  # eight words lie below two false accepts ...
        yes_false=[0.6, 0.7],
        no_true=[0.9] * 9 + [0.5],  # ... and of "no" one, below two
        no_false=[0.6, 0.7],
    )
    found = choose_thresholds(judge(heard), 2)
    assert found.reached
    assert found.scores.false_accepts.count == 2
    assert found.scores.missed.count == 1
    assert found.decoder.threshold_of("yes") <= 0.5
    assert 0.7 < found.decoder.threshold_of("no") <= 0.9
    none = choose_thresholds(judge(heard), 0.5)
    assert (none.scores.false_accepts.count, none.scores.missed.count) == (0, 9)


def test_false_accepts_that_are_left_over_are_spent():
    """At one false accept a word more is heard; by price it is all three for ten words, or none."""
    heard = one_hour(
        yes_true=[0.9, 0.7] + [0.5] * 10, yes_false=[0.8, 0.6, 0.6], no_true=[0.9], no_false=[]
    )
    by_rate = {
        wanted: (found.scores.false_accepts.count, found.scores.missed.count)
        for wanted in (0.5, 1, 2, 3)
        for found in [choose_thresholds(judge(heard), wanted)]
    }
    assert by_rate == {0.5: (0, 11), 1: (1, 10), 2: (1, 10), 3: (3, 0)}
    found = choose_thresholds(judge(heard), 2).decoder
    assert 0.6 < found.threshold_of("yes") <= 0.7
    assert found.threshold_of("no") <= 0.9


def test_a_rate_that_cannot_be_reached_is_told():
    heard = one_hour([0.5], [1.0, 1.0], [0.5], [])
    found = choose_thresholds(judge(heard), 1)
    assert not found.reached
    assert found.scores.false_accepts.count == 2
    assert found.fault.startswith(
        "no thresholds give 1 false accepts an hour, the highest still 2 (2 in 1 hours); keep"
    )


@pytest.mark.parametrize(
    ("heard", "fault"),
    [
        (one_hour([0.5, 0.6], [0.7], [0.9], []), "yes: never heard at thresholds for 0.5 false"),
        (one_hour([0.9], [0.7], [], []), "no: never said in the recordings"),
        (one_hour([0.9], [0.7], [0.9], []), ""),
    ],
    ids=["deaf", "unsaid", "good"],
)
def test_thresholds_that_make_a_keyword_deaf_are_told(heard, fault):
    found = choose_thresholds(judge(heard), 0.5)
    assert found.reached
    assert found.fault.startswith(fault)
    assert bool(found.fault) == bool(fault)


def test_what_the_hours_cannot_show_is_told():
    heard = one_hour([0.9], [], [0.9], [])
    assert choose_thresholds(judge(heard), 0.5).note == (
        "1 hours of audio cannot show 0.5 false accepts an hour: none at all would mean at most "
        "3.7 (95 %); 7.4 hours could"
    )
    assert choose_thresholds(judge(heard), 4).note == ""


def test_no_rate_is_claimed_that_the_false_accepts_leave_open():
    """Three in eight hours: 0.077 to 1.1 an hour, by Poisson tables (0.619 and 8.767 in all)."""
    heard = one_hour([0.5], [0.9, 0.9, 0.9], [0.9], [])
    quiet = [recording(3600, [], []) for _ in range(7)]
    found = choose_thresholds(judge(heard, *quiet), 0.5)
    assert found.scores.false_accepts.count == 3
    assert found.note == (
        "3 false accepts in 8 hours mean 0.077 to 1.1 an hour (95 %): more than 0.5 cannot be "
        "ruled out; take more hours, or choose for fewer an hour"
    )
    assert choose_thresholds(judge(heard, *quiet), 1.1).note == ""


def test_the_choice_is_told_to_the_models_file():
    heard = one_hour([0.9, 0.5], [0.6], [0.9], [])
    found = choose_thresholds(judge(heard), 0.5).choice
    assert (found.wanted_per_hour, found.hours, found.said, found.missed) == (0.5, 1.0, 3, 1)
    assert (found.false_accepts, found.false_accepts_per_hour) == (0, (0, pytest.approx(3.689)))
    assert found.missed_share == pytest.approx(wilson_interval(1, 3), abs=1e-4)


def test_a_rate_of_zero_is_refused():
    with pytest.raises(ValueError, match="expected more than 0"):
        choose_thresholds(judge(one_hour([0.9], [], [], [])), 0)


def test_thresholds_can_be_replaced_and_the_rest_stays():
    changed = with_thresholds(CONFIG, 0.8, {"no": 0.3})
    assert (changed.threshold_of("yes"), changed.threshold_of("no")) == (0.8, 0.3)
    assert changed.smoothing_ms == CONFIG.smoothing_ms
