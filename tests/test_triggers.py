"""Sounds kept around detections and near misses."""

import numpy as np
import pytest

from kws.audio.io import read
from kws.recipe import DecoderConfig
from kws.spotting.decoder import Detection
from kws.spotting.live import Moment
from kws.spotting.triggers import AFTER_S, BEFORE_S, Triggers

RATE, BLOCK = 16000, 320
KEYWORDS = ("yes", "no")


def moments(scores, detections=None):
    """A moment each 20 ms: block i is full of i / 10000."""
    for i, pair in enumerate(scores):
        found = (detections or {}).get(i, ())
        yield Moment(
            time_s=(i + 1) * BLOCK / RATE,
            block=np.full(BLOCK, i / 10_000, np.float32),
            frames=np.zeros((0, 40), np.float32),
            scores=np.array([*pair, 1.0]),
            detections=found,
            core_share=0.0,
        )


def run(folder, scores, detections=None) -> Triggers:
    triggers = Triggers(folder, KEYWORDS, DecoderConfig(threshold=0.8), RATE)
    for moment in moments(scores, detections):
        triggers.push(moment)
    triggers.finish()
    return triggers


def lines(folder):
    return [line.split(",") for line in (folder / "triggers.csv").read_text().splitlines()[1:]]


def test_a_detection_is_kept_with_the_sound_around_it(tmp_path):
    scores = [(0.0, 0.0)] * 200
    found = {120: (Detection("no", 2.42, 0.9),)}
    assert run(tmp_path, scores, found).saved == 1
    ((time_s, kind, keyword, score, path),) = lines(tmp_path)
    assert (time_s, kind, keyword, score) == ("2.42", "detections", "no", "0.900")
    audio = read(tmp_path / path, RATE)
    assert len(audio) == round((BEFORE_S + AFTER_S) * RATE)
    blocks = np.round(audio.reshape(-1, BLOCK)[:, 0] * 10_000).astype(int)
    assert blocks.tolist() == list(range(121 - 75, 121 + 25))


def test_a_near_miss_is_kept_at_its_peak(tmp_path):
    scores = [(0.0, 0.0)] * 100 + [(0.5, 0.1), (0.7, 0.1), (0.6, 0.1)] + [(0.0, 0.0)] * 100
    run(tmp_path, scores)
    ((time_s, kind, keyword, score, _),) = lines(tmp_path)
    assert (time_s, kind, keyword, score) == ("2.04", "near_misses", "yes", "0.700")


def test_a_rise_that_ends_in_a_detection_is_no_near_miss(tmp_path):
    scores = [(0.0, 0.0)] * 50 + [(0.5, 0.1), (0.7, 0.1), (0.9, 0.0), (0.7, 0.0)] + [(0, 0)] * 50
    found = {52: (Detection("yes", 1.06, 0.9),)}
    run(tmp_path, scores, found)
    assert [line[1] for line in lines(tmp_path)] == ["detections"]


def test_scores_far_below_the_threshold_keep_nothing(tmp_path):
    assert run(tmp_path, [(0.45, 0.3)] * 100).saved == 0
    assert not (tmp_path / "triggers.csv").exists()


def test_what_ends_early_is_kept_too_and_a_folder_gets_more(tmp_path):
    found = {3: (Detection("yes", 0.08, 0.9),)}
    for count in (1, 2):
        run(tmp_path, [(0.0, 0.0)] * 5, found)
        assert len(lines(tmp_path)) == count
    paths = [line[4] for line in lines(tmp_path)]
    assert len(set(paths)) == 2
    assert len(read(tmp_path / paths[0], RATE)) == 5 * BLOCK


def test_a_score_that_stays_high_is_kept_while_its_sound_is_there(tmp_path):
    """Peak at 2.04 s, then ten seconds just below it."""
    scores = [(0.0, 0.0)] * 100 + [(0.5, 0.1), (0.7, 0.1)] + [(0.6, 0.1)] * 500
    run(tmp_path, scores)
    first, *later = lines(tmp_path)
    assert first[:4] == ["2.04", "near_misses", "yes", "0.700"]
    blocks = np.round(read(tmp_path / first[4], RATE).reshape(-1, BLOCK)[:, 0] * 10_000).astype(int)
    assert blocks.tolist() == list(range(102 - 75, 102 + 25))
    assert len(later) >= 4


def test_a_near_miss_that_lasts_to_the_end_is_kept(tmp_path):
    run(tmp_path, [(0.0, 0.0)] * 50 + [(0.0, 0.6)] * 10)
    assert [line[1:3] for line in lines(tmp_path)] == [["near_misses", "no"]]


@pytest.mark.parametrize("hours", [0.1])
def test_memory_does_not_grow(tmp_path, hours):
    triggers = Triggers(tmp_path, KEYWORDS, DecoderConfig(), RATE)
    for moment in moments([(0.0, 0.0)] * round(hours * 3600 * RATE / BLOCK)):
        triggers.push(moment)
    assert sum(map(len, triggers._kept)) <= 5 * RATE
