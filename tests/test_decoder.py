"""The decoder on sequences worked out by hand."""

import numpy as np
import pytest

from kws.recipe import DecoderConfig
from kws.spotting.decoder import (
    Decoder,
    Detection,
    detect,
    needed_sums,
    refractory_steps,
    smoothed_sums,
    smoothing_steps,
)

LABELS = ("yes", "no", "unknown", "silence")
YES, NO, UNKNOWN, NOTHING = np.eye(4, dtype=np.float32)


def decode(sequence, per_second=10, **settings) -> list[Detection]:
    decoder = Decoder(LABELS, DecoderConfig(**settings), per_second)
    pushed = (decoder.push(vector, (i + 1) / per_second) for i, vector in enumerate(sequence))
    return [detection for detection in pushed if detection]


def test_average_reaches_the_threshold_after_enough_posteriors():
    found = decode([NOTHING, YES, YES, YES, YES], smoothing_ms=400, threshold=0.75)
    assert found == [Detection("yes", 0.4, 0.75)]


def test_a_short_flicker_is_averaged_away():
    sequence = [NOTHING, YES, YES, NOTHING, NO, YES, NOTHING] * 3
    assert decode(sequence, smoothing_ms=400, threshold=0.75) == []


def test_scores_are_averages_over_the_smoothing_length():
    decoder = Decoder(LABELS, DecoderConfig(smoothing_ms=200, threshold=0.99), 10)
    decoder.push(np.array([0.5, 0.25, 0.25, 0], np.float32), 0.1)
    np.testing.assert_allclose(decoder.scores, [0.25, 0.125, 0.125, 0])
    decoder.push(np.array([1, 0, 0, 0], np.float32), 0.2)
    np.testing.assert_allclose(decoder.scores, [0.75, 0.125, 0.125, 0])
    decoder.push(np.array([0, 1, 0, 0], np.float32), 0.3)
    np.testing.assert_allclose(decoder.scores, [0.5, 0.5, 0, 0])


def test_first_posteriors_cannot_fire_alone():
    assert decode([YES], smoothing_ms=200) == []
    assert [d.time_s for d in decode([YES, YES], smoothing_ms=200)] == [0.2]


def times(found) -> list[tuple[str, float]]:
    return [(detection.keyword, detection.time_s) for detection in found]


RESTING = {"smoothing_ms": 100, "threshold": 0.5, "refractory_ms": 300}


def test_a_keyword_is_not_reported_again_during_the_refractory_time():
    found = decode([YES, NOTHING, YES, NOTHING, NOTHING, YES], **RESTING)
    assert times(found) == [("yes", 0.1), ("yes", 0.6)]


def test_during_the_refractory_time_another_keyword_is_reported_only_if_it_is_as_sure():
    less, as_sure, more = (np.array([0, score, 0, 0], np.float32) for score in (0.6, 0.75, 0.9))
    sure = np.array([0.75, 0, 0, 0], np.float32)
    assert times(decode([sure, less, less, NOTHING], **RESTING)) == [("yes", 0.1)]
    assert times(decode([sure, less, less, less], **RESTING)) == [("yes", 0.1), ("no", 0.4)]
    assert times(decode([sure, as_sure], **RESTING)) == [("yes", 0.1), ("no", 0.2)]
    surer = np.array([0.8, 0, 0, 0], np.float32)  # held, and its highest score counts
    assert times(decode([sure, surer, as_sure], **RESTING)) == [("yes", 0.1)]
    assert times(decode([sure, surer, more], **RESTING)) == [("yes", 0.1), ("no", 0.3)]


def test_what_corrects_a_keyword_starts_the_refractory_time_anew():
    found = decode([YES, NO, NOTHING, NO, NOTHING, NOTHING, NO], **RESTING)
    assert times(found) == [("yes", 0.1), ("no", 0.2), ("no", 0.7)]


def test_a_keyword_held_beyond_the_refractory_time_is_reported_once():
    found = decode([YES] * 7, smoothing_ms=100, threshold=0.5, refractory_ms=250)
    assert [d.time_s for d in found] == [0.1]


def test_a_keyword_said_again_is_reported_again_after_a_gap():
    said = [YES, YES, NOTHING, YES, YES]
    found = decode(said, smoothing_ms=100, threshold=0.5, refractory_ms=100)
    assert [d.time_s for d in found] == [0.1, 0.4]


def test_another_keyword_is_reported_while_the_first_is_held():
    found = decode([YES, YES, NO, NO], smoothing_ms=100, threshold=0.5, refractory_ms=100)
    assert [(d.keyword, d.time_s) for d in found] == [("yes", 0.1), ("no", 0.3)]


@pytest.mark.parametrize("refractory_ms", [0, 100])
def test_without_refractory_time_every_posterior_may_detect(refractory_ms):
    found = decode([YES, NO, YES], smoothing_ms=100, threshold=0.5, refractory_ms=refractory_ms)
    assert [d.keyword for d in found] == ["yes", "no", "yes"]


def test_unknown_and_silence_are_never_detected():
    assert decode([UNKNOWN] * 5 + [NOTHING] * 5, smoothing_ms=100, threshold=0.1) == []
    decoder = Decoder(("unknown", "silence"), DecoderConfig(smoothing_ms=100), 10)
    assert decoder.push(np.array([1, 0], np.float32), 0.1) is None


def test_nothing_is_detected_while_unknown_or_silence_is_likelier():
    settings = {"smoothing_ms": 100, "threshold": 0.25, "refractory_ms": 0}
    for rival in (2, 3):
        rather = np.array([0.375, 0.125, 0, 0], np.float32)
        rather[rival] = 0.5
        equal = np.array([0.375, 0.25, 0, 0], np.float32)
        equal[rival] = 0.375
        assert [d.keyword for d in decode([rather, equal], **settings)] == ["yes"]
        assert [d.time_s for d in decode([rather, equal], **settings)] == [0.2]
    held = [YES, np.array([0.375, 0, 0.625, 0], np.float32), YES]
    assert len(decode(held, **settings)) == 1  # it was above its threshold throughout


def test_the_best_of_two_keywords_wins():
    both = np.array([0.45, 0.5, 0.05, 0], np.float32)
    assert decode([both], smoothing_ms=100, threshold=0.4)[0].keyword == "no"


def test_the_threshold_itself_detects():
    at = np.array([0.75, 0.25, 0, 0], np.float32)
    assert len(decode([at], smoothing_ms=100, threshold=0.75)) == 1
    below = np.array([191 / 256, 65 / 256, 0, 0], np.float32)
    assert decode([below], smoothing_ms=100, threshold=0.75) == []


def test_posteriors_count_in_steps_of_an_int8_model():
    """0.7 of 256 is 179.2: the first whole step that reaches it is 180."""
    reached = [
        decode([np.full(4, step / 256)], threshold=0.7, smoothing_ms=100) for step in (179, 180)
    ]
    assert [len(found) for found in reached] == [0, 1]
    assert reached[1][0].score == 180 / 256


def test_a_keyword_may_have_a_threshold_of_its_own():
    said = np.array([0.5, 0.45, 0.05, 0], np.float32)
    found = decode([said], threshold=0.9, smoothing_ms=100, keyword_thresholds={"no": 0.4})
    assert found == [Detection("no", 0.1, 115 / 256)]
    both = decode(
        [said], threshold=0.9, smoothing_ms=100, keyword_thresholds={"no": 0.4, "yes": 0.45}
    )
    assert [detection.keyword for detection in both] == ["yes"]


@pytest.mark.parametrize("seed", range(30))
def test_decoding_at_once_detects_what_decoding_step_by_step_does(seed):
    """Posteriors that wander around the threshold, all lengths of smoothing and rest."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1.0, (600, 4))
    walk = np.stack([np.convolve(column, 0.9 ** np.arange(50))[:600] for column in noise.T], axis=1)
    posteriors = np.exp(walk) / np.exp(walk).sum(axis=1, keepdims=True)
    config = DecoderConfig(
        smoothing_ms=float(rng.integers(1, 6)) * 100,
        refractory_ms=float(rng.integers(0, 8)) * 100,
        threshold=rng.uniform(0.2, 0.6),
        keyword_thresholds={"no": rng.uniform(0.2, 0.6)},
    )
    decoder = Decoder(LABELS, config, 10)
    slowly = [decoder.push(vector, i) for i, vector in enumerate(posteriors)]
    sums = smoothed_sums(posteriors, decoder.smoothing_steps)
    needed = needed_sums(LABELS, config, decoder.smoothing_steps)
    found = detect(sums, needed, decoder.refractory_steps)
    assert [(i, LABELS[at]) for i, at in found] == [
        (i, detection.keyword) for i, detection in enumerate(slowly) if detection
    ]
    assert len(found) > 5


def test_posteriors_that_are_not_numbers_detect_nothing():
    assert decode([np.full(4, np.nan, np.float32)] * 3, smoothing_ms=100) == []


def test_reset_forgets_posteriors_and_refractory_time():
    decoder = Decoder(LABELS, DecoderConfig(smoothing_ms=200, threshold=0.9), 10)
    decoder.push(YES, 0.1)
    assert decoder.push(YES, 0.2) == Detection("yes", 0.2, 1.0)
    decoder.reset()
    assert decoder.scores.tolist() == [0, 0, 0, 0]
    assert decoder.push(YES, 0.1) is None
    assert decoder.push(YES, 0.2) == Detection("yes", 0.2, 1.0)


def test_lengths_are_whole_numbers_of_posteriors():
    config = DecoderConfig(smoothing_ms=200, refractory_ms=700)
    assert (smoothing_steps(config, 50), refractory_steps(config, 50)) == (10, 35)
    assert (smoothing_steps(config, 2), refractory_steps(config, 2)) == (1, 2)
    assert refractory_steps(DecoderConfig(refractory_ms=710), 50) == 36


def test_posteriors_of_other_labels_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\) are not posteriors of 4 labels"):
        Decoder(LABELS, DecoderConfig(), 10).push(np.zeros(3, np.float32), 0.1)
