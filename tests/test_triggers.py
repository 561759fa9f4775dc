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


def run(folder, scores, detections=None, decoder=None) -> Triggers:
    decoder = decoder or DecoderConfig(threshold=0.8)
    triggers = Triggers(folder, KEYWORDS, decoder, RATE)
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


def rise(high: float, steps: int = 10) -> list[float]:
    return [high * (i + 1) / steps for i in range(steps)]


def test_a_word_that_the_decoders_rest_lets_pass_is_kept(tmp_path):
    """ "yes" is detected at 1.22 s, "no" reaches its threshold 0.4 s later: not in a second."""
    yes, no = [*rise(0.9), *rise(0.9)[::-1]], [*rise(0.85), *rise(0.85)[::-1]]
    scores = [(0.0, 0.0)] * 50 + [(one, 0.0) for one in yes] + [(0.0, one) for one in no]
    found = {60: (Detection("yes", 1.22, 0.9),)}
    run(tmp_path, scores + [(0.0, 0.0)] * 100, found)
    assert [line[:4] for line in lines(tmp_path)] == [
        ["1.22", "detections", "yes", "0.900"],
        ["1.60", "near_misses", "no", "0.850"],
    ]


def test_a_word_that_sounds_on_after_its_detection_is_no_near_miss(tmp_path):
    """Three seconds of a tone: detected once, as the decoder has it, and nothing as it fades."""
    scores = [(0.0, 0.0)] * 50 + [(0.9, 0.0)] * 150 + [(one, 0.0) for one in rise(0.9, 40)[::-1]]
    run(tmp_path, scores + [(0.0, 0.0)] * 50, {50: (Detection("yes", 1.02, 0.9),)})
    assert [line[1] for line in lines(tmp_path)] == ["detections"]


def test_another_keyword_in_the_sound_of_a_detected_one_is_no_near_miss(tmp_path):
    """At thresholds so low that one sound reaches two of them."""
    low = DecoderConfig(threshold=0.3)
    scores = [(0.0, 0.0)] * 50 + [(0.6, 0.35)] * 10 + [(0.0, 0.0)] * 100
    run(tmp_path, scores, {50: (Detection("yes", 1.02, 0.6),)}, low)
    assert [line[1] for line in lines(tmp_path)] == ["detections"]


def test_near_misses_are_compared_by_their_share_of_the_threshold(tmp_path):
    """0.45 of 0.5 is nearer than 0.6 of 0.9."""
    decoder = DecoderConfig(threshold=0.9, keyword_thresholds={"yes": 0.5})
    scores = [(0.0, 0.0)] * 50 + [(0.45, 0.0), (0.4, 0.0), (0.0, 0.6)] + [(0.0, 0.0)] * 50
    run(tmp_path, scores, decoder=decoder)
    assert [line[:4] for line in lines(tmp_path)] == [["1.02", "near_misses", "yes", "0.450"]]


@pytest.mark.parametrize("hours", [0.1])
def test_memory_does_not_grow(tmp_path, hours):
    triggers = Triggers(tmp_path, KEYWORDS, DecoderConfig(), RATE)
    for moment in moments([(0.0, 0.0)] * round(hours * 3600 * RATE / BLOCK)):
        triggers.push(moment)
    assert sum(map(len, triggers._kept)) <= 5 * RATE
