"""Splits: disjoint by speaker and by content, and the same when clips come and go."""

import os
from pathlib import Path

import pytest

from kws.data.manifest import Clip
from kws.data.speakers import name_speakers
from kws.data.speech_commands import split_of
from kws.data.splits import Shares, check_disjoint, counts, divide, same_content
from kws.errors import DataError

SPEAKERS = [f"speaker{i}" for i in range(3000)]


def clip(name: str, speaker: str = "", split: str = "", label: str = "yes") -> Clip:
    return Clip(Path(name), label, speaker, split)


def test_the_speaker_decides_by_the_rule_of_speech_commands():
    clips = [clip(f"{i}.wav", speaker) for i, speaker in enumerate(("026290a7", "105a0eea", "abc"))]
    assert [c.split for c in divide(clips)] == ["validation", "testing", "training"]


def test_without_a_speaker_the_file_name_decides_and_pieces_stay_together():
    found = divide([clip("a/026290a7.wav"), Clip(Path("b/026290a7.flac"), "no", "", "", 1.0, 1.0)])
    assert [c.split for c in found] == ["validation", "validation"]
    assert [c.speaker for c in found] == ["", ""]


def test_others_that_come_change_nothing():
    few = [clip(f"{name}.wav", name) for name in SPEAKERS[:50]]
    many = [clip(f"{name}.wav", name) for name in SPEAKERS[:500]]
    assert divide(many)[:50] == divide(few)
    shares = Shares(60, 20, 20)
    assert divide(many, shares)[:50] == divide(few, shares)


def test_shares():
    splits = [Shares(50, 30, 20).split(speaker) for speaker in SPEAKERS]
    assert splits.count("validation") == pytest.approx(900, abs=100)
    assert splits.count("testing") == pytest.approx(600, abs=90)
    assert {Shares(100, 0, 0).split(speaker) for speaker in SPEAKERS} == {"training"}
    assert all(Shares(80, 10, 10).split(speaker) == split_of(speaker) for speaker in SPEAKERS)


@pytest.mark.parametrize("parts", [(80, 10, 5), (120, -10, -10), (float("nan"), 0, 0)])
def test_shares_that_are_none(parts):
    with pytest.raises(DataError, match=r"shares .*: expected percent .* that add up to 100"):
        Shares(*parts)


def test_a_table_s_splits_stay_unless_shares_are_asked_for():
    clips = [clip("a.wav", "abc", "testing"), clip("b.wav", "026290a7")]
    assert [c.split for c in divide(clips)] == ["testing", "validation"]
    assert [c.split for c in divide(clips, Shares(80, 10, 10))] == ["training", "validation"]


def test_speakers_in_two_splits_are_named():
    clips = [
        clip("a", "Bo", "training"),
        clip("b", "Bo", "testing"),
        clip("c", "", "testing"),
        clip("d", "", "training"),
    ]
    with pytest.raises(DataError, match=r"m\.csv: 1 speakers are in two splits: Bo; .*--shares"):
        check_disjoint(clips, Path("m.csv"))
    check_disjoint(clips[1:], Path("m.csv"))


def test_one_content_in_two_splits_is_named(tmp_path):
    paths = [tmp_path / name for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    for path, data in zip(paths, (b"x" * 9000, b"x" * 9000, b"x" * 8999 + b"y", b"x"), strict=True):
        path.write_bytes(data)
    splits = ("training", "testing", "validation", "validation")
    clips = [Clip(p, "yes", "", split) for p, split in zip(paths, splits, strict=True)]
    with pytest.raises(
        DataError, match=r"1 contents .*a\.wav \(training\) = .*b\.wav \(testing\); .*remove"
    ):
        check_disjoint(clips, tmp_path)
    check_disjoint([clips[0], clips[2], clips[3]], tmp_path)
    together = [Clip(p, "yes", "", "training") for p in paths]
    check_disjoint(together, tmp_path)


def test_same_content_compares_all_bytes_and_survives_files_that_are_gone(tmp_path):
    start, end = b"a" + b"m" * 50000, b"m" * 50000 + b"a"
    for name, data in (("1", start), ("2", end), ("3", start), ("4", b""), ("5", end)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "6").symlink_to(tmp_path / "4")
    paths = [tmp_path / name for name in ("1", "2", "3", "4", "5", "6", "gone")]
    assert [[path.name for path in twins] for twins in same_content(paths)] == [
        ["1", "3"],
        ["2", "5"],
        ["4", "6"],
    ]


def test_files_of_different_sizes_are_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    (tmp_path / "a").write_bytes(b"abc")
    assert same_content([tmp_path / "pipe", tmp_path / "a"]) == []


def test_counts_by_label_and_split():
    clips = [
        clip("1", "Bo", "training"),
        clip("2", "Bo", "training"),
        clip("3", "Al", "testing"),
        clip("4", "", "testing", "no"),
    ]
    assert counts(clips) == {
        "no": {"training": (0, 0), "validation": (0, 0), "testing": (1, 0)},
        "yes": {"training": (2, 1), "validation": (0, 0), "testing": (1, 1)},
    }


def test_the_pattern_names_speakers_below_the_roots():
    root = Path("/corpus_x/data")
    clips = [
        clip("/corpus_x/data/yes/anna_01.wav"),
        clip("/corpus_x/data/yes/deep/bo_2.wav"),
        clip("/corpus_x/data/yes/noise.wav"),
        clip("/corpus_x/data/yes/cy_1.wav", "known"),
    ]
    for pattern in (r"([a-z]+)_\d+\.wav$", r"(\w*/)*(?P<speaker>[a-z]+)_\d+\.wav$"):
        named, notes = name_speakers(clips, [root], pattern)
        assert [c.speaker for c in named] == ["anna", "bo", "", "known"]
        assert notes == ["clips of no known speaker, divided by file: 1\n  yes/noise.wav"]
    # Only what is below the root is searched, not the name of the root itself.
    assert [c.speaker for c in name_speakers(clips, [root], r"([a-z]+)_")[0]][:2] == ["anna", "bo"]


def test_without_a_pattern_speech_commands_names_are_understood():
    names = ("yes/026290a7_nohash_0.wav", "yes/take1.wav")
    named, notes = name_speakers([clip(name) for name in names], [Path()])
    assert [c.speaker for c in named] == ["026290a7", ""]
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("([a-z", r"no regular expression \(unterminated"),
        ("[a-z]+", r"no group; put \( \) around the part that is the speaker"),
        ("(Q+)", r"finds no speaker in 1 names such as 'yes/a\.wav'"),
    ],
)
def test_patterns_that_cannot_work(pattern, message):
    with pytest.raises(DataError, match=message):
        name_speakers([clip("/data/yes/a.wav")], [Path("/data")], pattern)
