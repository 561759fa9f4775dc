"""Figures of a classifier, against examples worked by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from kws.spotting.metrics import (
    confusion_matrix,
    detection_trade_off,
    score,
    share,
    wilson_interval,
)

LABELS = ("yes", "no", "unknown")


def test_worked_example():
    truth = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 2])
    answers = np.array([0, 0, 1, 1, 2, 2, 2, 2, 0, 2])
    scores = score(truth, answers, LABELS)
    assert scores.confusion == ((2, 1, 0), (0, 1, 1), (1, 0, 4))
    assert (scores.accuracy.count, scores.accuracy.total, scores.accuracy.value) == (7, 10, 0.7)
    recalls = [(row.recall.count, row.recall.total) for row in scores.classes]
    precisions = [(row.precision.count, row.precision.total) for row in scores.classes]
    assert [row.label for row in scores.classes] == list(LABELS)
    assert recalls == [(2, 3), (1, 2), (4, 5)]
    assert precisions == [(2, 3), (1, 2), (4, 5)]


def test_perfect():
    scores = score(np.array([0, 1, 2]), np.array([0, 1, 2]), LABELS)
    assert scores.accuracy.value == 1.0
    assert scores.accuracy.high == 1.0
    assert scores.confusion == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert all(row.recall.value == row.precision.value == 1.0 for row in scores.classes)


def test_empty_and_absent_classes():
    scores = score(np.array([], int), np.array([], int), LABELS)
    assert scores.accuracy.value is None
    assert (scores.accuracy.low, scores.accuracy.high) == (0.0, 1.0)
    assert scores.confusion == ((0, 0, 0),) * 3
    one = score(np.array([0, 0]), np.array([0, 1]), LABELS).classes
    assert (one[0].recall.value, one[0].precision.value) == (0.5, 1.0)
    assert (one[1].recall.value, one[1].precision.value) == (None, 0.0)
    assert (one[2].recall.value, one[2].precision.value) == (None, None)


def test_wilson_interval_of_published_examples():
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3 (score, no continuity
    # correction): 81/263, 15/148, 0/20, 1/29.
    for count, total, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson_interval(count, total) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_by_hand():
    # z = 1, 1 of 2: middle (1/2 + 1/4) / (3/2) = 1/2, half 1 / (3/2) * sqrt(1/8 + 1/16).
    half = (2 / 3) * (3 / 16) ** 0.5
    assert wilson_interval(1, 2, z=1.0) == pytest.approx((0.5 - half, 0.5 + half))


def test_wilson_interval_mirrors_and_narrows():
    low, high = wilson_interval(3, 10)
    assert wilson_interval(7, 10) == pytest.approx((1 - high, 1 - low))
    narrow_low, narrow_high = wilson_interval(300, 1000)
    assert low < narrow_low < 0.3 < narrow_high < high
    assert wilson_interval(0, 0) == (0.0, 1.0)
    assert wilson_interval(5, 5)[1] == 1.0


def test_impossible_values():
    for count, total in ((3, 2), (-1, 2), (0, -1)):
        with pytest.raises(ValueError, match="is not a share"):
            wilson_interval(count, total)
    with pytest.raises(ValueError, match="not two equal lists"):
        score(np.array([0]), np.array([0, 1]), LABELS)
    with pytest.raises(ValueError, match=r"answers: an index outside 0\.\.2"):
        confusion_matrix(np.array([0]), np.array([3]), 3)
    with pytest.raises(ValueError, match="truth: an index outside"):
        confusion_matrix(np.array([-1]), np.array([0]), 3)


def test_scores_become_json():
    values = asdict(score(np.array([0, 1]), np.array([0, 0]), ("a", "b")))
    back = json.loads(json.dumps(values, allow_nan=False))
    assert back["confusion"] == [[1, 0], [1, 0]]
    assert back["accuracy"] == asdict(share(1, 2))
    assert back["classes"][1]["precision"]["value"] is None


def test_trade_off_worked_by_hand():
    scores = np.array([0.9, 0.5, 0.1, 0.6, 0.3, 0.2, 0.4])
    there = np.array([True, False, False, True, False, False, True])
    det = detection_trade_off(scores, there)
    assert det.thresholds.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9, np.inf]
    assert det.miss_rate == pytest.approx([0, 0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert det.false_accept_rate == pytest.approx([1, 0.75, 0.5, 0.25, 0.25, 0, 0, 0])
    # From (1/4 false, 0 missed) to (1/4 false, 1/3 missed): both are the same at 1/4.
    assert det.equal_error_rate == pytest.approx(0.25)


def test_trade_off_of_equal_scores_takes_them_together():
    det = detection_trade_off(np.array([0.5, 0.5, 0.5, 0.5]), np.array([1, 1, 0, 0], bool))
    assert det.thresholds.tolist() == [0.5, np.inf]
    assert (det.miss_rate.tolist(), det.false_accept_rate.tolist()) == ([0, 1], [1, 0])
    assert det.equal_error_rate == 0.5


@pytest.mark.parametrize(("scores", "rate"), [([0.9, 0.8, 0.2, 0.1], 0), ([0.1, 0.2, 0.8, 0.9], 1)])
def test_trade_off_of_the_perfect_and_of_the_worst(scores, rate):
    det = detection_trade_off(np.array(scores), np.array([True, True, False, False]))
    assert det.equal_error_rate == rate


@pytest.mark.parametrize(
    ("scores", "there", "message"),
    [
        ([0.5, 0.1], [True, True], "clips of the keyword and other clips are both needed"),
        ([0.5, 0.1], [False, False], "clips of the keyword and other clips are both needed"),
        ([], [], "both needed"),
        ([0.5], [True, False], r"scores \(1,\) and truth \(2,\)"),
        ([[0.5, 0.1]], [[True, False]], r"scores \(1, 2\)"),
    ],
)
def test_trade_off_refuses_what_gives_no_rates(scores, there, message):
    with pytest.raises(ValueError, match=message):
        detection_trade_off(np.array(scores), np.array(there, bool))
