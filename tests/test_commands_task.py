"""Which clips of Speech Commands make a task."""

import math
from collections import Counter

import numpy as np
import pytest
from commands_corpus import OTHERS, SPEAKERS, SPLITS, corpus_files, lay, official_test_files

from kws.data.commands_task import count_clips, make_task
from kws.data.manifest_file import read_manifest, write_manifest
from kws.data.speech_commands import COMMANDS, speaker_of_unknown, split_of
from kws.errors import DataError

TESTER = SPEAKERS["testing"][5]


def make(root, keywords=COMMANDS, seed=1):
    return make_task(root, keywords, np.random.default_rng(seed))


def table(task) -> dict[str, tuple[int, ...]]:
    return {label: tuple(c[s] for s in SPLITS) for label, c in count_clips(task).items()}


def test_twelve_classes_on_the_official_test_archive(tmp_path):
    root = lay(tmp_path, corpus_files())
    lay(root / "_test_", official_test_files(TESTER))
    task = make(root)
    # 30 and 10 keyword clips: 3 and 1 of other words.
    assert table(task) == {
        **dict.fromkeys(COMMANDS, (3, 1, 2)),
        "unknown": (3, 1, 3),
        "silence": (0, 0, 3),
    }
    labels = Counter(clip.label for clip in task.clips if clip.split == "testing")
    assert labels == {**dict.fromkeys(COMMANDS, 2), "unknown": 3, "silence": 3}
    assert {clip.label for clip in task.clips if clip.split != "testing"} <= {*COMMANDS, *OTHERS}
    tested = {clip.speaker for clip in task.clips if clip.split == "testing"}
    assert tested == {TESTER, ""}
    assert {clip.speaker for clip in task.clips if clip.label == "silence"} == {""}
    assert all(clip.path.is_file() for clip in task.clips)
    assert task.notes == (
        "4 of 12 clips of other words are in the task, chosen at random: 10% of the keywords' "
        "number in each split",
    )


def test_twelve_classes_without_the_test_archive(tmp_path):
    task = make(lay(tmp_path, corpus_files()))
    assert table(task) == {**dict.fromkeys(COMMANDS, (3, 1, 1)), "unknown": (3, 1, 1)}
    for split in SPLITS:
        speakers = {clip.speaker for clip in task.clips if clip.split == split}
        assert speakers <= set(SPEAKERS[split])


def test_own_keywords_count_the_other_commands_as_unknown(tmp_path):
    root = lay(tmp_path, corpus_files())
    lay(
        root / "_test_", official_test_files(TESTER)
    )  # has `marvin` among its unknown words: not for this task
    task = make(root, ("marvin", "yes", "stop"))
    # 9, 3 and 3 keyword clips: a tenth, rounded up.
    expected = math.ceil(0.9), math.ceil(0.3), math.ceil(0.3)
    assert table(task) == {**dict.fromkeys(task.keywords, (3, 1, 1)), "unknown": expected}
    assert list(table(task)) == ["marvin", "yes", "stop", "unknown"]
    assert not any("_test_" in str(clip.path) for clip in task.clips)


@pytest.mark.parametrize("words", [(*COMMANDS, *OTHERS), (*COMMANDS, "bird")])
def test_all_words_that_a_version_has(tmp_path, words):
    task = make(lay(tmp_path, corpus_files(words)), None)
    assert table(task) == dict.fromkeys(sorted(words), (3, 1, 1))
    assert task.keywords == tuple(sorted(words))
    assert task.notes == ()


def test_choice_is_random_and_the_same_for_the_same_seed(tmp_path):
    root = lay(tmp_path, corpus_files())
    chosen = [[c for c in make(root, seed=s).clips if c.label in OTHERS] for s in range(20)]
    assert [c for c in make(root, seed=3).clips if c.label in OTHERS] == chosen[3]
    assert len({tuple(clips) for clips in chosen}) > 10
    assert {clip.label for clips in chosen for clip in clips} == set(OTHERS)


def test_words_that_are_not_there(tmp_path):
    root = lay(tmp_path, corpus_files())
    with pytest.raises(DataError, match=r"no clips of 'marvni', .* bird, .*; 'marvin' is there"):
        make(root, ("yes", "marvni"))
    with pytest.raises(DataError, match="keyword 'yes' is given twice"):
        make(root, ("yes", "no", "yes"))
    with pytest.raises(DataError, match="no clips of '_background_noise_'"):
        make(root, ("_background_noise_",))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no folder of any word"):
        make(tmp_path / "empty", None)
    with pytest.raises(DataError, match="gone: cannot be listed"):
        make(tmp_path / "gone", None)


def test_lists_that_do_not_agree_with_the_hash(tmp_path):
    root = lay(tmp_path, corpus_files())
    train, valid = (SPEAKERS[split][0] for split in ("training", "validation"))
    names = (root / "validation_list.txt").read_text().splitlines()
    names.remove(f"bird/{valid}_nohash_0.wav")
    names += [f"tree/{train}_nohash_0.wav", "tree/gone_nohash_0.wav", "tree/also.wav"]
    (root / "validation_list.txt").write_text("\n".join(names))
    notes = make(root, None).notes
    assert notes == (
        "validation_list.txt: 2 clips listed but not there: tree/also.wav, tree/gone_nohash_0.wav",
        "validation_list.txt: 1 clips listed, but by the hash not in validation: "
        f"tree/{train}_nohash_0.wav",
        "validation_list.txt: 1 clips not listed, but by the hash in validation: "
        f"bird/{valid}_nohash_0.wav",
    )
    splits = {(c.label, c.speaker): c.split for c in make(root, None).clips}
    assert (splits["tree", train], splits["bird", valid]) == ("training", "validation")
    (root / "testing_list.txt").unlink()
    with pytest.raises(DataError, match=r"testing_list\.txt: cannot be read"):
        make(root)


def test_speakers_of_the_test_archive_never_train(tmp_path):
    root = lay(tmp_path, corpus_files())
    shared = SPEAKERS["training"][0]
    lay(root / "_test_", official_test_files(shared))
    task = make(root)
    assert table(task)["yes"] == (2, 1, 2)
    assert (
        f"13 clips left out, 1 speakers of the test archive are not testing speakers by the hash: "
        f"{shared}"
    ) in task.notes
    write_manifest(tmp_path / "manifest.csv", task.clips)
    assert len(read_manifest(tmp_path / "manifest.csv")) == len(task.clips)


def test_test_archive_that_lacks_a_folder(tmp_path):
    root = lay(tmp_path, corpus_files())
    files = {
        name: data
        for name, data in official_test_files(TESTER).items()
        if not name.startswith("_sil")
    }
    lay(root / "_test_", files)
    with pytest.raises(DataError, match=r"_test_/_silence_: no clips, expected the official test"):
        make(root)


def test_split_without_clips_is_told(tmp_path):
    files = {n: d for n, d in corpus_files().items() if SPEAKERS["testing"][0] not in n}
    files["testing_list.txt"] = b""
    assert "no testing clips" in make(lay(tmp_path, files)).notes


def test_speaker_of_an_unknown_word():
    # Names as in the official test archives.
    assert speaker_of_unknown("bird_48a8a69d_nohash_0.wav.wav") == "48a8a69d"
    assert split_of("48a8a69d") == split_of("0c540988") == "testing"
