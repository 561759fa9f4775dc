"""Features on disk: order, resumption, and what makes them anew."""

import os
import resource
import shutil

import numpy as np
import pytest

from kws.audio import io
from kws.audio.features import extract
from kws.data import cache
from kws.data.cache import load_examples
from kws.data.examples import load_split, make_features
from kws.data.shards import Shards
from kws.errors import DataError, StorageError
from kws.recipe import Recipe
from kws.recipe_io import parse_recipe

RATE = 16000
TRAINING, VALIDATION = "0132a06d", "026290a7"


def recipe(**changes) -> Recipe:
    values = {
        "name": "small",
        "data": {"keywords": ["yes", "no"], "silence_share": 0.2},
        "augment": {"copies": 2},
        "model": {"units": [4]},
    }
    for key, value in changes.items():
        section, _, name = key.partition("__")
        if name:
            values.setdefault(section, {})[name] = value
        else:
            values[section] = value
    return parse_recipe(values, "test")


@pytest.fixture
def root(tmp_path):
    """Four training clips and one validation clip of two keywords and another word."""
    rng, root = np.random.default_rng(0), tmp_path / "data"
    for word in ("yes", "no", "tree"):
        for i in range(4):
            io.write(root / word / f"{TRAINING}_nohash_{i}.wav", rng.normal(0, 0.1, RATE), RATE)
        io.write(root / word / f"{VALIDATION}_nohash_0.wav", rng.normal(0, 0.1, RATE), RATE)
    io.write(root / "_background_noise_" / "hiss.wav", rng.normal(0, 0.1, 3 * RATE), RATE)
    return root


@pytest.fixture
def caches(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(cache, "CHUNK", 1)
    monkeypatch.setattr(cache, "SHARD", 2)
    monkeypatch.setattr(cache, "_FEWEST_PARALLEL", 1000)


@pytest.mark.usefixtures("small_chunks")
def test_training_examples_are_copy_major(root, caches):
    examples = load_examples(recipe(), root, "training", caches)
    assert examples.features.shape == (2 * 15, 49, 40)  # 12 clips and 3 of silence
    assert (examples.features.dtype, examples.labels.dtype) == (np.float16, np.int32)
    assert isinstance(examples.features, Shards)
    assert examples.labels.tolist() == ([1] * 4 + [2] * 4 + [0] * 4 + [3] * 3) * 2
    assert examples.bad == ()
    copies = examples.features[:].reshape(2, 15, 49, 40)
    assert (copies[0] != copies[1]).any(axis=(1, 2))[:12].all()


def test_keywords_alone(root, caches):
    alone = recipe(data__unknown=False, data__silence_share=0.0)
    assert alone.data.labels == ("yes", "no")
    assert (
        load_examples(alone, root, "training", caches).labels.tolist()
        == [1, 1, 1, 1, 0, 0, 0, 0] * 2
    )
    assert load_examples(alone, root, "validation", caches).labels.tolist() == [1, 0]
    quiet = recipe(data__unknown=False, data__silence_share=0.2)
    assert load_examples(quiet, root, "validation", caches).labels.tolist() == [1, 0, 2]


@pytest.mark.usefixtures("small_chunks")
def test_pieces_of_a_file_are_clips(root, caches):
    (root / "manifest.csv").write_text(
        "path,label,speaker,split,start,duration\n"
        "_background_noise_/hiss.wav,yes,a,training,0,1\n"
        "_background_noise_/hiss.wav,no,a,training,1.5,1\n"
        "_background_noise_/hiss.wav,tree,a,training,2,0.5\n"
    )
    plain = recipe(
        augment__copies=1, augment__noise_probability=0.0, augment__speed=[1, 1],
        augment__gain_db=[0, 0], augment__shift_ms=0.0,
    )  # fmt: skip
    found = load_examples(plain, root, "training", caches)
    assert found.labels.tolist() == [0, 1, 2, 3]
    hiss = io.read(root / "_background_noise_" / "hiss.wav", RATE)
    pieces = [hiss[:RATE], hiss[24000:40000], io.fit(hiss[32000:40000], RATE)]
    expected = extract(np.stack(pieces), plain.features)
    assert np.array_equal(found.features[:3], expected.astype(np.float16))


@pytest.mark.usefixtures("small_chunks")
def test_examples_are_what_is_extracted(root, caches, monkeypatch):
    made = []

    def note(sources, making):
        made.append(make_features(sources, making))
        return made[-1]

    monkeypatch.setattr(cache, "make_features", note)
    examples = load_examples(recipe(), root, "training", caches)
    expected = np.concatenate([features for features, _, _ in made], axis=1)
    assert np.array_equal(examples.features, expected.reshape(-1, 49, 40).astype(np.float16))


def test_validation_is_clean_and_the_same_for_all_recipes(root, caches):
    one = load_examples(recipe(), root, "validation", caches)
    two = load_examples(recipe(seed=7, augment__gain_db=[0, 0]), root, "validation", caches)
    assert one.key == two.key
    assert one.labels.tolist() == [1, 2, 0, 3]
    small = recipe()
    scored = load_split(
        root, small.data.labels, small.features, small.clip_samples, "validation", 0.2
    )
    assert np.array_equal(one.features, scored.features.astype(np.float16))


def test_second_load_reads_no_clip(root, caches, monkeypatch):
    one = load_examples(recipe(), root, "training", caches)
    monkeypatch.setattr(cache, "_build", None)
    two = load_examples(recipe(), root, "training", caches)
    assert np.array_equal(one.features, two.features)
    folder = caches / one.key
    assert sorted(os.listdir(folder)) == ["000000.json", "000000.npy", "info.json"]


def test_key_follows_what_features_depend_on(root, caches):
    def key(**changes):
        return load_examples(recipe(**changes), root, "training", caches).key

    first = key()
    assert key(augment__time_masks=0, train__epochs=3, data__max_bad_fraction=0.5) == first
    others = [
        key(seed=2),
        key(augment__copies=1),
        key(augment__keyword_takes=2),
        key(augment__snr_db=[5, 10]),
        key(features__hop_ms=10.0),
        key(data__clip_ms=900.0),
        key(data__keywords=["no", "yes"]),
    ]
    os.utime(root / "yes" / f"{TRAINING}_nohash_0.wav", (1, 1))
    others.append(key())
    io.write(root / "no" / f"{TRAINING}_nohash_9.wav", np.zeros(RATE), RATE)
    others.append(key())
    os.utime(root / "_background_noise_" / "hiss.wav", (1, 1))
    others.append(key())
    assert len({first, *others}) == 11


def test_changed_noise_is_read_anew(root, caches):
    plain = recipe(augment__noise_probability=1.0)
    one = load_examples(plain, root, "training", caches)
    io.write(root / "_background_noise_" / "hiss.wav", np.ones(RATE), RATE)
    two = load_examples(plain, root, "training", caches)
    assert (one.features[:] != two.features[:]).any()


@pytest.mark.usefixtures("small_chunks")
def test_added_clips_come_after_the_folder_s_own(root, caches, tmp_path):
    """Four clips of three words and three of silence make four shards, the negatives two more."""
    io.write(
        tmp_path / "talk" / "long.wav", np.random.default_rng(1).normal(0, 0.1, 3 * RATE), RATE
    )
    plain = load_examples(recipe(), root, "training", caches)
    more = load_examples(recipe(data__negatives=[str(tmp_path / "talk")]), root, "training", caches)
    assert (plain.own, more.own) == (len(plain.labels) // 2, len(plain.labels) // 2)
    clips = len(more.labels) // 2
    assert clips == plain.own + 5
    for copy in range(2):
        own = slice(copy * clips, copy * clips + more.own)
        same = slice(copy * plain.own, (copy + 1) * plain.own)
        assert more.features[own].tobytes() == plain.features[same].tobytes()
        unknown = recipe().data.labels.index("unknown")
        assert more.labels[own.stop : (copy + 1) * clips].tolist() == [unknown] * 5


@pytest.mark.usefixtures("small_chunks")
def test_further_takes_of_keywords_have_copies_of_their_own(root, caches):
    (root / "no" / f"{TRAINING}_nohash_1.wav").write_bytes(b"")
    plain = recipe(data__max_bad_fraction=0.1)
    one = load_examples(plain, root, "training", caches)
    three = load_examples(
        recipe(data__max_bad_fraction=0.1, augment__keyword_takes=3), root, "training", caches
    )
    said = {plain.data.labels.index("yes"): 4, plain.data.labels.index("no"): 3}
    for label, clips in said.items():
        assert (three.labels == label).sum() == 2 * 3 * clips
        ways = {row.tobytes() for row in three.features[np.flatnonzero(three.labels == label)]}
        assert len(ways) == 2 * 3 * clips
    others = [index for index in range(len(plain.data.labels)) if index not in said]
    assert np.isin(three.labels, others).sum() == np.isin(one.labels, others).sum()
    assert three.own == one.own
    clips = len(three.labels) // 2
    assert clips == one.own + 2 * 7
    assert three.features[: one.own].tobytes() == one.features[: one.own].tobytes()
    second = three.features[clips : clips + one.own]
    assert second.tobytes() == one.features[one.own :].tobytes()
    assert three.bad == one.bad
    assert len(one.bad) == 1
    with pytest.raises(DataError, match=r"1 of 12 training clips cannot be read"):
        load_examples(recipe(augment__keyword_takes=3), root, "training", caches)


@pytest.mark.usefixtures("small_chunks")
def test_stopped_run_goes_on_where_it_was(root, caches, monkeypatch, tmp_path):
    whole = load_examples(recipe(), root, "training", tmp_path / "other")
    calls = []

    def stop_at_the_fifth(sources, making):
        calls.append(sources)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return make_features(sources, making)

    monkeypatch.setattr(cache, "make_features", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        load_examples(recipe(), root, "training", caches)
    assert not (caches / whole.key / "info.json").exists()
    (caches / whole.key / ".000004.1.npy").write_bytes(b"torn by a kill")
    resumed = load_examples(recipe(), root, "training", caches)
    assert len(calls) == 5 + 11  # of 15 chunks, two a shard, four were done
    assert resumed.features[:].tobytes() == whole.features[:].tobytes()
    assert resumed.labels.tolist() == whole.labels.tolist()
    assert not list((caches / whole.key).glob(".*"))


@pytest.mark.usefixtures("small_chunks")
def test_number_of_processes_does_not_matter(root, caches, monkeypatch, tmp_path):
    (root / "yes" / f"{TRAINING}_nohash_2.wav").write_text("x")
    tolerant = recipe(data__max_bad_fraction=0.2)
    alone = load_examples(tolerant, root, "training", caches)
    monkeypatch.setattr(cache, "_FEWEST_PARALLEL", 1)
    monkeypatch.setattr(cache.joblib, "cpu_count", lambda: 2)
    together = load_examples(tolerant, root, "training", tmp_path / "other")
    assert together.features[:].tobytes() == alone.features[:].tobytes()
    assert together.bad == alone.bad
    assert len(alone.bad) == 1


@pytest.mark.usefixtures("small_chunks")
def test_bad_clips_are_named_and_left_out(root, caches):
    (root / "no" / f"{TRAINING}_nohash_1.wav").write_bytes(b"")
    (root / "yes" / f"{TRAINING}_nohash_2.wav").write_text("x")
    examples = load_examples(recipe(data__max_bad_fraction=0.2), root, "training", caches)
    assert len(examples.bad) == 2
    assert f"no/{TRAINING}_nohash_1.wav: an empty file" in examples.bad[0]
    assert f"yes/{TRAINING}_nohash_2.wav: not readable" in examples.bad[1]
    assert examples.labels.tolist() == ([1] * 3 + [2] * 4 + [0] * 3 + [3] * 3) * 2
    assert np.isfinite(examples.features[:]).all()
    with pytest.raises(DataError, match=r"2 of 12 training clips cannot be read, .*0\.01 allows"):
        load_examples(recipe(), root, "training", caches)


def test_mended_clips_are_read_again(root, caches):
    path = root / "no" / f"{TRAINING}_nohash_1.wav"
    time, data = path.stat().st_mtime_ns, path.read_bytes()
    path.write_bytes(bytes(len(data)))
    os.utime(path, ns=(time, time))
    with pytest.raises(DataError, match="1 of 12 training clips cannot be read"):
        load_examples(recipe(), root, "training", caches)
    path.write_bytes(data)
    os.utime(path, ns=(time, time))
    assert load_examples(recipe(), root, "training", caches).bad == ()


def test_label_whose_clips_are_all_bad(root, caches):
    for path in (root / "yes").glob(f"{TRAINING}*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no training clip of 'yes' can be read: .*an empty file"):
        load_examples(recipe(data__max_bad_fraction=1.0), root, "training", caches)


def test_bad_background_recording_is_named(root, caches):
    (root / "_background_noise_" / "broken.wav").write_bytes(b"x")
    with pytest.raises(Exception, match=r"broken\.wav: not readable as audio"):
        load_examples(recipe(), root, "training", caches)


@pytest.mark.usefixtures("small_chunks")
def test_full_disk_loses_nothing(root, caches):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        with pytest.raises(StorageError, match=r"000000\.npy: no space left on the disk"):
            load_examples(recipe(), root, "training", caches)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(caches.glob("*/info.json"))
    assert len(load_examples(recipe(), root, "training", caches).labels) == 30


def test_features_that_do_not_fit_are_not_begun(root, caches, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 100_000))
    with pytest.raises(StorageError, match=r"features of 15 training clips needs 0\.1 MB .* free"):
        load_examples(recipe(), root, "training", caches)
    assert not list(caches.glob("*/*"))


def test_damaged_cache_says_what_to_delete(root, caches):
    key = load_examples(recipe(), root, "training", caches).key
    features = caches / key / "000000.npy"
    features.write_bytes(features.read_bytes()[:5000])
    with pytest.raises(StorageError, match=f"{key}: cached features are damaged .*delete this"):
        load_examples(recipe(), root, "training", caches)


def test_cache_in_an_impossible_place(root, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file/cache: cannot be written"):
        load_examples(recipe(), root, "training", tmp_path / "file" / "cache")


def test_real_clips(speech_data, caches):
    words = ["yes", "no", "up", "down", "left", "right", "stop", "go"]
    eight = recipe(data__keywords=words, data__silence_share=0.1)
    examples = load_examples(eight, speech_data / "speech_commands", "validation", caches)
    assert np.bincount(examples.labels).tolist() == [
        *(115, 109, 139, 140, 140, 140, 140, 140),
        *(341, 156),  # without the words that are kept out of training
    ]
    assert examples.bad == ()
    assert -71 < examples.features[:].min() < examples.features[:].max() < 40
