"""Clips from tables: Common Voice, Multilingual Spoken Words, one's own."""

from pathlib import Path

import pytest
from conftest import refused, run_tool

from kws.data.manifest import Clip
from kws.data.manifest_file import read_manifest
from kws.data.tables import read_tables
from kws.errors import DataError

# The header of Common Voice Corpus 18 (June 2024); older ones lack some columns.
COMMON_VOICE = (
    "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\t"
    "accents\tvariant\tlocale\tsegment\n"
)
SPOKEN_WORDS = "SET,LINK,WORD,VALID,SPEAKER,GENDER\n"


def said(client: str, path: str, sentence: str) -> str:
    return f"{client}\t{path}\tid\t{sentence}\t\t2\t0\t\t\t\t\ten\t\n"


def sounds(folder: Path, *names: str) -> None:
    """Files of that name; tables are read without looking into them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def short(clips: list[Clip]) -> list[tuple[str, str, str, str]]:
    return [(clip.path.name, clip.label, clip.speaker, clip.split) for clip in clips]


@pytest.fixture
def common_voice(tmp_path):
    sounds(tmp_path / "clips", *(f"cv_{i}.mp3" for i in range(6)))
    table = tmp_path / "train.tsv"
    rows = [
        said("ann", "cv_0.mp3", "Yes."),
        said("ann", "cv_1.mp3", '""No!""'),
        said("bob", "cv_2.mp3", "Hey,  Marvin!"),
        said("bob", "cv_3.mp3", "The dog's bone is there."),
        said("cy", "cv_9.mp3", "seven"),
        said("cy", "cv_4.mp3", "Grüße"),
    ]
    table.write_text(COMMON_VOICE + "".join(rows), encoding="utf-8")
    return table


def test_common_voice(common_voice):
    table = read_tables([common_voice], common_voice.parent)
    assert short(table.clips) == [
        ("cv_0.mp3", "yes", "ann", "training"),
        ("cv_1.mp3", "no", "ann", "training"),
        ("cv_4.mp3", "grüße", "cy", "training"),
    ]
    assert table.clips[0].path == common_voice.parent / "clips" / "cv_0.mp3"
    assert table.notes() == [
        "no such sound file: 1\n  cv_9.mp3",
        "sentences of several words: 2\n  cv_2.mp3: Hey,  Marvin!\n"
        "  cv_3.mp3: The dog's bone is there.",
    ]


def test_a_keyword_may_have_several_words(common_voice):
    for keyword in ("hey marvin", "hey_marvin", "Hey Marvin"):
        table = read_tables([common_voice], common_voice.parent, (keyword,))
        assert ("cv_2.mp3", "hey_marvin", "bob", "training") in short(table.clips)
        assert table.several_words.count == 1


def test_the_official_splits_of_common_voice_and_clips_listed_again(common_voice):
    root = common_voice.parent
    (root / "dev.tsv").write_text(COMMON_VOICE + said("di", "cv_3.mp3", "no"))
    (root / "test.tsv").write_text(COMMON_VOICE + said("ed", "cv_5.mp3", "no"))
    every = said("ann", "cv_0.mp3", "Yes.") + said("flo", "cv_2.mp3", "no")
    (root / "validated.tsv").write_text(COMMON_VOICE + every)
    names = ("validated.tsv", "train.tsv", "dev.tsv", "test.tsv")
    for order in (names, names[::-1]):
        table = read_tables([root / name for name in order], root)
        splits = {name: split for name, _, _, split in short(table.clips)}
        assert splits == {
            "cv_0.mp3": "training",
            "cv_1.mp3": "training",
            "cv_2.mp3": "",
            "cv_3.mp3": "validation",
            "cv_4.mp3": "training",
            "cv_5.mp3": "testing",
        }
        assert str(table.again).startswith("listed again: 1\n")


def test_spoken_words(tmp_path):
    sounds(tmp_path / "clips", "yes/cv_en_1.opus", "no/cv_en_2.wav", "no/cv_en_3.opus")
    (tmp_path / "en_splits.csv").write_text(
        SPOKEN_WORDS + "TRAIN,yes/cv_en_1.opus,yes,True,9f3a,MALE\n"
        "DEV,no/cv_en_2.opus,no,True,NA,NAN\n"
        "TEST,no/cv_en_3.opus,no,False,77,FEMALE\n"
    )
    table = read_tables([tmp_path / "en_splits.csv"], tmp_path)
    assert short(table.clips) == [
        ("cv_en_1.opus", "yes", "9f3a", "training"),
        ("cv_en_2.wav", "no", "", "validation"),  # of no known speaker, and converted
    ]
    assert table.notes() == ["not valid, by the table itself: 1\n  no/cv_en_3.opus"]
    (tmp_path / "en_test.csv").write_text(
        "LINK,WORD,VALID,SPEAKER,GENDER\nno/cv_en_3.opus,no,True,77,FEMALE\n"
    )
    clips = read_tables([tmp_path / "en_test.csv"], tmp_path).clips
    assert short(clips) == [("cv_en_3.opus", "no", "77", "testing")]


def test_one_s_own_table_beside_the_sounds(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    table = tmp_path / "mine.csv"
    table.write_text(
        "label,path,mood,speaker,split,start,duration\n"
        'turn left,a.wav,"calm, tired",Bo,test,,\nno,b.wav,,,,1.5,0.75\nno,b.wav,,,,3,\n'
    )
    assert read_tables([table], tmp_path / "elsewhere").clips == [
        Clip(tmp_path / "a.wav", "turn_left", "Bo", "testing"),
        Clip(tmp_path / "b.wav", "no", "", "", 1.5, 0.75),
        Clip(tmp_path / "b.wav", "no", "", "", 3.0),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"columns none; expected path and label"),
        ("file,word\n", r"columns file, word; expected path and label .*Common Voice"),
        ("path;label\na.wav;no\n", r"columns path;label; expected .* \.csv commas"),
        ("path,label\na.wav\n", r"line 2: 1 values, expected 2"),
        ("path,label\na.wav,\n", r"line 2: no label; correct or remove"),
        ("path,label\n,no\n", r"line 2: no path; correct or remove"),
        ("path,label,split\na.wav,no,eval\n", r"line 2: split 'eval', expected one of train, dev"),
        ("path,label,start\na.wav,no,-1\n", r"line 2: start -1 s, expected 0 or more"),
        ("path,label,duration\na.wav,no,x\n", r"line 2: duration 'x', expected seconds"),
        ("path,label\na.wav,no\na.wav,yes\n", r"line 3: .*a\.wav is 'yes' of .* but 'no'"),
        ("path,label,split\na.wav,no,dev\na.wav,no,test\n", r"line 3: .* in testing and in valid"),
        ("path,label\ngone.wav,no\n", r"not one clip \(no such sound file: 1 gone\.wav\)"),
        ("path,label\n", r"not one clip \(no rows\)"),
        ("path,label\na\0.wav,no\n", r"not one clip \(no such sound file: 1"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, text, message):
    sounds(tmp_path, "a.wav")
    table = tmp_path / "mine.csv"
    table.write_text(text)
    with pytest.raises(DataError, match=rf"mine\.csv: {message}"):
        read_tables([table], tmp_path)


def test_tables_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match=r"gone\.tsv: cannot be read \(No such file"):
        read_tables([tmp_path / "gone.tsv"], tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"path,label\nn\xe4.wav,no\n")
    with pytest.raises(DataError, match=r"latin\.csv: not UTF-8 .*save it as UTF-8"):
        read_tables([tmp_path / "latin.csv"], tmp_path)
    (tmp_path / "wide.csv").write_text("path,label\n" + "x" * 200000 + ",no\n")
    with pytest.raises(DataError, match=r"wide\.csv: line \d+: not a table \(field larger"):
        read_tables([tmp_path / "wide.csv"], tmp_path)


def test_the_tool_makes_a_manifest_of_common_voice(common_voice):
    root = common_voice.parent
    output = run_tool("prepare_data.py", "folder", root, "--metadata", common_voice).stdout
    assert "3 clips of 3 labels" in output
    assert "sentences of several words: 2" in output
    assert f"next: python tools/prepare_data.py check {root / 'manifest.csv'}" in output
    clips = read_manifest(root / "manifest.csv")
    assert short(clips)[0] == ("cv_0.mp3", "yes", "ann", "training")
    assert clips[0].path == root / "clips" / "cv_0.mp3"


def test_the_tool_refuses_a_speaker_in_two_official_splits(common_voice):
    root = common_voice.parent
    (root / "test.tsv").write_text(COMMON_VOICE + said("ann", "cv_5.mp3", "no"))
    tables = ("--metadata", common_voice, root / "test.tsv")
    line = refused("prepare_data.py", "folder", root, *tables)
    assert "1 speakers are in two splits: ann; expected" in line
    assert not (root / "manifest.csv").exists()
    run_tool("prepare_data.py", "folder", root, *tables, "--shares", 50, 25, 25)
    homes = {(clip.speaker, clip.split) for clip in read_manifest(root / "manifest.csv")}
    assert len(homes) == len({speaker for speaker, _ in homes})
