"""Rooms reverberate as long as they say, and leave words where they are."""

import numpy as np
import pytest

from kws.audio.rooms import IMAGES_S, SOUND_M_PER_S, as_room, image_sources, make_room, reverberate

RATE = 16000


def rng(seed=0):
    return np.random.default_rng(seed)


def rt60_s(response: np.ndarray, rate: int) -> float:
    """By Schroeder's backward integration (1965), from the decay between -5 and -35 dB (T30)."""
    left = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    decay_db = 10 * np.log10(left / left[0])
    start, end = np.argmax(decay_db < -5), np.argmax(decay_db < -35)
    slope = np.polyfit(np.arange(start, end) / rate, decay_db[start:end], 1)[0]
    return -60 / slope


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("wanted_s", [0.2, 0.35, 0.6, 1.2])
def test_reverberation_time_is_as_asked_for(wanted_s, rate):
    draws = rng(1)
    found = [rt60_s(make_room((wanted_s, wanted_s), draws, rate).response, rate) for _ in range(20)]
    assert np.median(found) == pytest.approx(wanted_s, rel=0.1)
    assert found == pytest.approx([wanted_s] * 20, rel=0.2)


def test_rooms_are_within_their_range_and_differ():
    draws = rng(2)
    rooms = [make_room((0.2, 0.5), draws, RATE) for _ in range(40)]
    times = [float(room.name.split("RT60 ")[1].split(" s")[0]) for room in rooms]
    assert 0.2 <= min(times) < 0.25
    assert 0.45 < max(times) <= 0.5
    assert len({room.name for room in rooms}) == 40
    for room in rooms:
        assert room.response.dtype == np.float32
        assert room.response[0] == 1.0
        assert np.isfinite(room.response).all()


def test_a_room_follows_from_the_generator():
    one, two, other = (make_room((0.3, 0.6), rng(seed), RATE) for seed in (5, 5, 6))
    assert one.name == two.name
    assert one.response.tobytes() == two.response.tobytes()
    assert one.name != other.name


SIZE, TALKER, MICROPHONE = np.array([6.0, 5, 3]), np.array([2.0, 2, 1.5]), np.array([3.0, 2, 1.5])


def test_without_reflections_there_is_the_direct_sound_alone():
    response = image_sources(SIZE, TALKER, MICROPHONE, 0.0, rng(), RATE)
    assert response.shape == (round(IMAGES_S * RATE),)
    assert response[0] == 1.0
    assert response[1:].sum() == 0.0


def test_first_reflections_by_hand(monkeypatch):
    """Talker and microphone 1 m apart, half-way up: floor and ceiling send images at 3 m each."""
    monkeypatch.setattr("kws.audio.rooms._JITTER_M", 0.0)
    response = image_sources(SIZE, TALKER, MICROPHONE, 0.5, rng(), RATE)

    def at(distance_m: float) -> float:
        return response[round((distance_m - 1) / SOUND_M_PER_S * RATE)]

    floor_m, near_wall_m, left_wall_m = np.hypot(1, 3), np.hypot(1, 4), 2.0 + 3.0
    assert response[0] == 1.0
    assert at(floor_m) == pytest.approx(2 * 0.5 / floor_m)
    assert at(near_wall_m) == pytest.approx(0.5 / near_wall_m)
    # 5 m: the walls behind the talker; sqrt(1 + 4**2 + 3**2) = 5.1 m: floor or ceiling and a wall
    assert at(left_wall_m) == pytest.approx(0.5 / left_wall_m)
    assert at(np.sqrt(26)) == pytest.approx(2 * 0.25 / np.sqrt(26))


def test_all_images_in_reach_are_there(monkeypatch):
    """In free space filled with mirrors, images are as many as the volume of a ball says."""
    monkeypatch.setattr("kws.audio.rooms._JITTER_M", 0.0)
    response = image_sources(SIZE, TALKER, MICROPHONE, 1.0, rng(), RATE)
    distances_m = 1 + np.arange(len(response)) / RATE * SOUND_M_PER_S
    images = np.sum(response * distances_m)
    ball = 4 / 3 * np.pi * distances_m[-1] ** 3 / np.prod(SIZE)
    assert images == pytest.approx(ball, rel=0.1)


def word() -> np.ndarray:
    audio = np.zeros(RATE, np.float32)
    audio[5000:8000] = rng().normal(0, 0.1, 3000)
    return audio


def test_reverberation_moves_nothing_and_keeps_the_energy():
    for seed in range(10):
        wet = reverberate(word(), make_room((0.3, 0.8), rng(seed), RATE).response)
        assert wet.shape == word().shape
        assert wet.dtype == np.float32
        assert np.sum(wet**2) == pytest.approx(np.sum(word() ** 2), rel=1e-3)
        assert np.abs(wet[:5000]).max() < 1e-5
        delays = range(-300, 301)
        likeness = [float(np.dot(np.roll(wet, -delay), word())) for delay in delays]
        assert delays[int(np.argmax(likeness))] == 0


def test_an_echo_by_hand():
    audio = np.array([1, 0, 0, 0, 0, 2], np.float32)
    wet = reverberate(audio, np.array([1, 0, 0.5], np.float32))
    expected = np.array([1, 0, 0.5, 0, 0, 2]) * np.sqrt(5 / 5.25)
    assert wet == pytest.approx(expected, abs=1e-6)


def test_silence_stays_silent():
    zeros = np.zeros(100, np.float32)
    assert np.array_equal(reverberate(zeros, np.ones(5, np.float32)), zeros)
    assert reverberate(np.zeros(0, np.float32), np.ones(5, np.float32)).shape == (0,)


def test_a_recorded_response_begins_at_its_peak_and_ends_after_two_seconds():
    recording = np.zeros(5 * RATE, np.float32)
    recording[100], recording[7000], recording[7100] = 0.1, -0.5, 0.25
    room = as_room("hall.wav", recording, RATE)
    assert room.response.shape == (2 * RATE,)
    assert room.response[[0, 100]].tolist() == [1.0, -0.5]
    with pytest.raises(ValueError, match="silent"):
        as_room("zeros.wav", np.zeros(5), RATE)
