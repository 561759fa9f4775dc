"""Clips, splits, data folders, made silence, and examples for scoring."""

import numpy as np
import pytest
import soundfile

from kws.audio import io
from kws.audio.features import extract
from kws.data.examples import list_sources, load_split, make_features
from kws.data.folder import background_noises, read_folder
from kws.data.manifest import Clip, of_split, require_labels
from kws.data.silence import (
    count_of_silence,
    held_out_part,
    make_silence,
    training_part,
)
from kws.data.speech_commands import speaker_of, split_of
from kws.data.variants import CLEAN_SEED, Making, Source
from kws.errors import AudioError, DataError
from kws.recipe import AugmentConfig, FeatureConfig

RATE = 16000
LABELS = ("yes", "no", "unknown", "silence")
TRAINING, VALIDATION, TESTING = "0132a06d", "026290a7", "105a0eea"


def tone(hz: float, seconds: float = 1.0, level: float = 0.3) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


@pytest.fixture
def root(tmp_path):
    """Two keywords, one other word, one background recording."""
    for hz, word in ((300, "yes"), (600, "no"), (900, "tree")):
        for i, speaker in enumerate((TRAINING, VALIDATION)):
            io.write(tmp_path / word / f"{speaker}_nohash_{i}.wav", tone(hz), RATE)
    io.write(tmp_path / "_background_noise_" / "hiss.wav", tone(2000, 3, 0.01), RATE)
    (tmp_path / "LICENSE").write_text("free")
    return tmp_path


def names(clips):
    return [f"{clip.label}/{clip.path.parent.name}/{clip.path.name}" for clip in clips]


def test_speaker_of_a_name():
    assert speaker_of("0132a06d_nohash_2.wav") == "0132a06d"
    assert speaker_of("a.b_nohash_12.flac") == "a.b"
    assert speaker_of("take.1.wav") == "take.1"
    assert speaker_of("silence_3") == "silence_3"


def test_split_follows_the_published_rule():
    # Speakers in the published validation_list.txt and testing_list.txt of Speech Commands.
    for speaker in ("026290a7", "060cd039", "099d52ad"):
        assert split_of(speaker) == "validation"
    for speaker in ("0c40e715", "0ea0e2f4", "105a0eea"):
        assert split_of(speaker) == "testing"
    # By hand: the SHA-1 of "abc" ends in cd0d89d, modulo 2**27 0x4d0d89d, 60.2 % of 2**27 - 1.
    assert split_of("abc") == split_of(TRAINING) == "training"


def test_a_tenth_of_speakers_validates_and_a_tenth_tests():
    splits = [split_of(f"speaker{i}") for i in range(5000)]
    assert splits.count("validation") == pytest.approx(500, abs=80)
    assert splits.count("testing") == pytest.approx(500, abs=80)


def test_real_data_has_no_testing_speakers(speech_data):
    clips = read_folder(speech_data / "speech_commands", ("yes", "no", "unknown", "silence"))
    splits = [clip.split for clip in clips]
    assert (len(clips), splits.count("testing")) == (11603, 0)
    assert splits.count("validation") == 1416
    by_split = {s: {c.speaker for c in clips if c.split == s} for s in ("training", "validation")}
    assert not by_split["training"] & by_split["validation"]


def test_folder_is_read_in_order_with_labels(root):
    clips = read_folder(root, LABELS)
    assert names(clips) == [
        f"{label}/{word}/{name}"
        for label, word in (("no", "no"), ("unknown", "tree"), ("yes", "yes"))
        for name in (f"{TRAINING}_nohash_0.wav", f"{VALIDATION}_nohash_1.wav")
    ]
    assert [clip.split for clip in clips] == ["training", "validation"] * 3
    assert [clip.speaker for clip in clips] == [TRAINING, VALIDATION] * 3


def test_suffixes_in_capitals_and_other_formats(root):
    io.write(root / "yes" / "B.FLAC", tone(300), RATE)
    (root / "yes" / "c.txt").write_text("no sound")
    (root / "yes" / ".hidden.wav").touch()
    (root / "yes" / "d.Ogg").touch()
    found = [name for name in names(read_folder(root, LABELS)) if name.startswith("yes")]
    assert sorted(found)[2:] == ["yes/yes/B.FLAC", "yes/yes/d.Ogg"]


def test_special_folders(root):
    for folder in ("_unknown_", "_silence_", "_else_", ".cache", "silence"):
        io.write(root / folder / "a.wav", tone(50), RATE)
    labels = {clip.path.parent.name: clip.label for clip in read_folder(root, LABELS)}
    assert labels == {
        "yes": "yes",
        "no": "no",
        "tree": "unknown",
        "_unknown_": "unknown",
        "_silence_": "silence",
        "silence": "silence",
    }


def test_folders_that_cannot_be_used(root, tmp_path):
    with pytest.raises(DataError, match="no such data folder; expected one folder a word"):
        read_folder(tmp_path / "gone", LABELS)
    with pytest.raises(DataError, match="LICENSE: a file, expected a data folder"):
        read_folder(root / "LICENSE", LABELS)
    with pytest.raises(DataError, match=r"no folder of any keyword; expected up, found .*no, tree"):
        read_folder(root, ("up", "unknown", "silence"))
    (root / "stop").mkdir()
    (root / "stop" / "notes.txt").touch()
    with pytest.raises(DataError, match="stop: a keyword's folder without a sound file"):
        read_folder(root, ("yes", "stop", "unknown", "silence"))


def test_empty_folder_of_another_word_is_no_error(root):
    (root / "zebra").mkdir()
    assert len(read_folder(root, LABELS)) == 6


def test_split_without_clips_tells_what_there_is(root):
    clips = read_folder(root, LABELS)
    assert len(of_split(clips, "validation", root)) == 3
    assert of_split(clips, "all", root) == clips
    with pytest.raises(
        DataError,
        match=r"no clips in the testing split \(found: training 3, validation 3, testing 0",
    ):
        of_split(clips, "testing", root)
    with pytest.raises(ValueError, match="no split 'test'"):
        of_split(clips, "test", root)


def test_label_without_clips_is_named(tmp_path):
    clips = [Clip(tmp_path / "a.wav", "yes", "a", "training")]
    require_labels(clips, ("yes",), "training", tmp_path)
    with pytest.raises(DataError, match=r"no training clips of 'no'.*/no, or take the keyword"):
        require_labels(clips, ("yes", "no"), "training", tmp_path)
    with pytest.raises(
        DataError, match=r"'unknown'.* words that are not keywords, a folder a word"
    ):
        require_labels(clips, ("yes", "unknown"), "training", tmp_path)


def test_background_noises_at_the_wanted_rate(root):
    (noise,) = background_noises(root, 8000)
    assert noise.shape == (24000,)
    assert background_noises(root / "yes", RATE) == []
    (root / "_background_noise_" / "bad.wav").write_text("x")
    with pytest.raises(AudioError, match=r"bad\.wav"):
        background_noises(root, RATE)


def test_silence_spans_all_levels():
    rng = np.random.default_rng(5)
    noises = [np.random.default_rng(6).normal(0, 1e-4, 5 * RATE).astype(np.float32)]
    for recordings in (noises, []):
        clips = [make_silence(RATE, recordings, rng, RATE) for _ in range(400)]
        assert all(clip.dtype == np.float32 and clip.shape == (RATE,) for clip in clips)
        peaks = np.array([np.abs(clip).max() for clip in clips])
        zero = np.mean(peaks == 0)
        levels = 20 * np.log10(peaks[peaks > 0])
        assert 0.02 < zero < 0.1
        assert levels.max() == pytest.approx(0, abs=1e-6)
        assert levels.min() < -85
        counts, _ = np.histogram(levels, bins=[-90, -60, -30, 0.1])
        assert counts.min() > 0.2 * len(levels)


def test_silence_is_the_same_for_the_same_generator():
    one, two = (make_silence(500, [], np.random.default_rng(3), RATE) for _ in range(2))
    assert one.tobytes() == two.tobytes()


def test_silence_of_recordings_that_are_silent_or_short():
    for noise in (np.zeros(20, np.float32), np.zeros(0, np.float32)):
        for seed in range(10):
            made = make_silence(100, [noise], np.random.default_rng(seed), RATE)
            assert made.shape == (100,)
            assert np.isfinite(made).all()


def test_count_of_silence_makes_up_the_share():
    assert count_of_silence(900, 0.1) == 100
    assert count_of_silence(1, 0.1) == 1
    assert count_of_silence(50, 0.5) == 50
    assert count_of_silence(900, 0.0) == 0


def test_noise_for_training_and_scoring_does_not_overlap():
    noise = np.arange(10, dtype=np.float32)
    assert training_part([noise])[0].tolist() == list(range(8))
    assert held_out_part([noise])[0].tolist() == [8, 9]


def test_training_makes_silence_and_wants_every_label(root):
    sources = list_sources(root, LABELS, "training", 0.25)
    assert [(s.label, s.number) for s in sources] == [(1, 0), (2, 1), (0, 2), (3, 0)]
    assert sources[3].path is None
    with pytest.raises(DataError, match="no training clips of 'stop'"):
        list_sources(root, ("yes", "stop", "unknown", "silence"), "training", 0.1)
    assert len(list_sources(root, ("yes", "stop", "unknown", "silence"), "validation", 0.1)) == 4


def test_silence_is_not_made_where_there_is_some(root):
    io.write(root / "_silence_" / f"{VALIDATION}_nohash_0.wav", tone(50, 1, 1e-3), RATE)
    assert None not in [s.path for s in list_sources(root, LABELS, "validation", 0.1)]
    assert None in [s.path for s in list_sources(root, LABELS, "training", 0.1)]


def test_load_split_gives_clean_features(root):
    config = FeatureConfig()
    examples = load_split(root, LABELS, config, RATE, "validation")
    assert examples.features.shape == (4, 49, 40)
    assert examples.features.dtype == np.float32
    assert examples.labels.tolist() == [1, 2, 0, 3]
    assert (examples.bad, examples.made_silence) == ((), 1)
    first = io.read(root / "no" / f"{VALIDATION}_nohash_1.wav", RATE)
    assert np.array_equal(examples.features[0], extract(first, config))
    again = load_split(root, LABELS, config, RATE, "validation")
    assert again.features.tobytes() == examples.features.tobytes()


def test_load_split_pads_cuts_resamples_and_mixes_down(root):
    path = root / "no" / f"{VALIDATION}_nohash_1.wav"
    stereo = np.stack([tone(600, 0.5)] * 2, axis=1)[::2]  # 8 kHz
    soundfile.write(path, stereo, 8000)
    io.write(root / "yes" / f"{VALIDATION}_nohash_1.wav", tone(300, 2), RATE)
    examples = load_split(root, LABELS, FeatureConfig(), RATE, "validation")
    assert examples.features.shape == (4, 49, 40)
    loud = examples.features[0].max(axis=1) > -20
    assert loud[14:35].all()
    assert not loud[:10].any()
    assert not loud[39:].any()
    assert (examples.features[2].max(axis=1) > 0).all()


def test_official_test_archive_layout(tmp_path):
    for word in ("yes", "no", "_unknown_", "_silence_"):
        for i in range(3):
            io.write(tmp_path / word / f"{TESTING}_nohash_{i}.wav", tone(200 + i), RATE)
    io.write(tmp_path / "_silence_" / "0.wav", tone(50, 1, 1e-3), RATE)
    examples = load_split(tmp_path, LABELS, FeatureConfig(), RATE, "all")
    assert np.bincount(examples.labels).tolist() == [3, 3, 3, 4]
    assert examples.made_silence == 0
    testing = load_split(tmp_path, LABELS, FeatureConfig(), RATE, "testing")
    assert np.bincount(testing.labels)[:3].tolist() == [3, 3, 3]


def test_bad_clips_are_named_and_left_out(root):
    folder = root / "yes"
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("hello")
    io.write(folder / "long.wav", np.zeros(61 * RATE), RATE)
    io.write(folder / "cut.wav", tone(300), RATE)
    (folder / "cut.wav").write_bytes((folder / "cut.wav").read_bytes()[:9000])
    (folder / "link.wav").symlink_to(folder / "gone.wav")
    examples = load_split(root, LABELS, FeatureConfig(), RATE, "all")
    assert len(examples.labels) == 6 + examples.made_silence
    reasons = dict(zip(("cut", "empty", "link", "long", "text"), examples.bad, strict=True))
    for name, words in (
        ("cut", "cut short"),
        ("empty", "an empty file"),
        ("link", "no such file"),
        ("long", "61 s long, expected at most 60 s"),
        ("text", "not readable as audio"),
    ):
        assert f"{name}.wav: " in reasons[name]
        assert words in reasons[name]


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "a.wav").touch()
    with pytest.raises(DataError, match=r"not one of 1 clips could be read; the first: .*empty"):
        load_split(tmp_path, LABELS, FeatureConfig(), RATE, "all")


def test_copies_differ_and_do_not_depend_on_the_company(root):
    config = AugmentConfig(copies=3)
    sources = list_sources(root, LABELS, "training", 0.25)
    making = Making(FeatureConfig(), RATE, root, (), 1, config)
    features, labels, bad = make_features(sources, making)
    assert features.shape == (3, 4, 49, 40)
    assert (labels.tolist(), bad) == ([1, 2, 0, 3], [])
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (features[a] != features[b]).any(axis=(1, 2)).all()
    alone, _, _ = make_features(sources[2:3], making)
    assert np.array_equal(alone[:, 0], features[:, 2])


def test_shift_brings_in_what_a_longer_recording_has(root):
    path = root / "yes" / "long.wav"
    io.write(path, np.full(2 * RATE, 0.25), RATE)
    config = AugmentConfig(
        copies=4, speed=(1, 1), shift_ms=200, gain_db=(0, 0), noise_probability=0, snr_db=(0, 0)
    )
    making = Making(FeatureConfig(), RATE, root, (), CLEAN_SEED, config)
    features, _, _ = make_features([Source(path, 0, 0)], making)
    middle = extract(np.full(RATE, 0.25), FeatureConfig())
    assert np.abs(features[:, 0] - middle).max() < 0.05
