"""Manifests: what is written is read back, every bad line is refused by its number."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kws.data.corpus import manifest_of, read_clips
from kws.data.folder import noise_files
from kws.data.manifest import Clip, require_labels
from kws.data.manifest_file import read_manifest, write_manifest
from kws.errors import DataError, StorageError

HEADER = "path,label,speaker,split,start,duration"
LABELS = ("yes", "no", "unknown", "silence")
QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=150)


@pytest.fixture
def manifest(tmp_path):
    return tmp_path / "manifest.csv"


def lines(path: Path, *rows: str) -> Path:
    path.write_text("\n".join((HEADER, *rows)) + "\n", encoding="utf-8")
    return path


def test_written_as_people_read_it_and_read_back(manifest, tmp_path):
    clips = [
        Clip(tmp_path / "yes" / "a, b.wav", "yes", "Anna", "training"),
        Clip(tmp_path / "はい" / "ä 1.flac", "はい", "", "validation"),
        Clip(Path("/elsewhere/long.ogg"), "unknown", "", "testing", 1.5, 1.0),
        Clip(Path("/elsewhere/long.ogg"), "unknown", "", "testing", 0.1 + 0.2, 1e-5),
    ]
    write_manifest(manifest, clips)
    assert manifest.read_text(encoding="utf-8").splitlines() == [
        HEADER,
        '"yes/a, b.wav",yes,Anna,training,,',
        "はい/ä 1.flac,はい,,validation,,",
        "/elsewhere/long.ogg,unknown,,testing,1.5,1",
        "/elsewhere/long.ogg,unknown,,testing,0.30000000000000004,1e-05",
    ]
    assert read_manifest(manifest) == clips


def test_paths_follow_the_manifest(manifest, tmp_path, monkeypatch):
    lines(manifest, "yes/a.wav,yes,,training,,", "../b.wav,no,,training,,")
    monkeypatch.chdir(tmp_path)
    clips = read_manifest(Path("manifest.csv"))
    assert [clip.path for clip in clips] == [tmp_path / "yes/a.wav", tmp_path / "../b.wav"]


def test_columns_in_any_order_blank_lines_and_what_spreadsheets_write(manifest):
    text = (
        "split,label,path,speaker,duration,start\r\n\r\n training , yes ,a.wav, bo ,0.5,2\r\n\r\n"
    )
    manifest.write_bytes(b"\xef\xbb\xbf" + text.encode())
    expected = Clip(manifest.parent / "a.wav", "yes", "bo", "training", 2.0, 0.5)
    assert read_manifest(manifest) == [expected]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b.wav,yes,,train,,", r"line 3: split 'train', expected one of training, validation"),
        ("b.wav,yes,,,,", r"line 3: split '', expected one of"),
        ("b.wav, ,,training,,", r"line 3: no label, expected the word that b\.wav holds"),
        (",yes,,training,,", r"line 3: path '', expected the name of a sound file"),
        ("b\0.wav,yes,,training,,", r"line 3: path 'b\\x00\.wav', expected the name"),
        ("b.wav,yes,,training,-1,", r"line 3: start -1 s, expected 0 or more"),
        ("b.wav,yes,,training,1,0", r"line 3: duration 0 s, expected more than 0"),
        ("b.wav,yes,,training,1,-2", r"line 3: duration -2 s, expected more than 0"),
        ("b.wav,yes,,training,soon,", r"line 3: start 'soon', expected seconds such as 1\.25"),
        ("b.wav,yes,,training,,nan", r"line 3: duration 'nan', expected seconds"),
        ("b.wav,yes,,training,inf,", r"line 3: start 'inf', expected seconds"),
        ("b.wav,yes,,training", r"line 3: 4 values, expected 6 .* put quotes around"),
        ("b.wav,yes,a,b,training,,", r"line 3: 7 values, expected 6"),
        ("a.wav,no,,training,,", r"line 3: the same piece of a\.wav as in line 2, .* remove"),
        ("b.wav,no,Bo,testing,,", r"line 3: speaker 'Bo' is in testing, but in training in line 2"),
        ('"b.wav,yes,,training,,', r"line 3: not CSV \(unexpected end of data\)"),
        (f'"{"b" * 200000}",yes,,training,,', r"line 3: not CSV \(field larger than"),
    ],
)
def test_bad_lines_are_refused_by_number(manifest, row, message):
    lines(manifest, "a.wav,yes,Bo,training,,", row)
    with pytest.raises(DataError, match=rf"manifest\.csv: {message}"):
        read_manifest(manifest)


def test_a_file_of_no_known_speaker_is_in_one_split(manifest):
    lines(manifest, "a.wav,no,,training,0,1", "b.wav,no,,testing,,", "a.wav,no,,testing,1,1")
    with pytest.raises(DataError, match=r"line 4: file 'a\.wav' is in testing, but in training"):
        read_manifest(manifest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "an empty file; expected the header path,label"),
        (b" \n\n", "an empty file"),
        (HEADER.encode(), "no clips, only a header"),
        (b"path,label,speaker,split,start\n", "line 1: no column 'duration' in"),
        (HEADER.replace(",", ";").encode(), "line 1: no column 'path' .* with commas between"),
        (HEADER.encode() + b",mood\n", "line 1: unknown column 'mood'; expected .*; remove it"),
        (HEADER.encode() + b",path\n", "line 1: a column twice"),
        (HEADER.encode() + b"\na\xe4.wav,yes,,training,,\n", r"line 2: not UTF-8 \(byte 0xe4\)"),
    ],
)
def test_bad_files_are_refused(manifest, text, message):
    manifest.write_bytes(text)
    with pytest.raises(DataError, match=rf"manifest\.csv: {message}"):
        read_manifest(manifest)


def test_a_missing_manifest_and_a_folder_in_its_place(manifest):
    with pytest.raises(DataError, match=r"manifest\.csv: cannot be read \(No such file"):
        read_manifest(manifest)
    manifest.mkdir()
    with pytest.raises(DataError, match=r"manifest\.csv: cannot be read \(Is a directory"):
        read_manifest(manifest)


def test_a_name_that_is_not_utf8_is_refused_and_nothing_written(manifest, tmp_path):
    clips = [Clip(tmp_path / "caf\udce9.wav", "yes", "", "training")]
    with pytest.raises(StorageError, match=r"not UTF-8 \(near .*caf\\udce9\.wav.*rename that"):
        write_manifest(manifest, clips)
    assert list(tmp_path.iterdir()) == []


def test_words_that_are_not_keywords_are_unknown(manifest, tmp_path):
    words = ("yes", "tree", "unknown", "silence", "_unknown_", "_odd_")
    lines(manifest, *(f"{i}.wav,{word},,training,," for i, word in enumerate(words)))
    expected = ["yes", "unknown", "unknown", "silence", "unknown", "unknown"]
    assert [clip.label for clip in read_clips(tmp_path, LABELS)] == expected
    assert read_clips(manifest, LABELS) == read_clips(tmp_path, LABELS)
    with pytest.raises(DataError, match=r"no clip of any keyword; expected up, found .*tree"):
        read_clips(tmp_path, ("up", "unknown", "silence"))


def test_a_folder_a_word_is_read_where_there_is_no_manifest(tmp_path):
    (tmp_path / "yes").mkdir()
    (tmp_path / "yes" / "ann_nohash_0.wav").touch()
    assert manifest_of(tmp_path) is None
    assert [clip.speaker for clip in read_clips(tmp_path, ("yes", "unknown"))] == ["ann"]
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read"):
        read_clips(tmp_path / "gone.csv", LABELS)


def test_noises_are_beside_the_manifest(manifest, tmp_path):
    lines(manifest, "a.wav,yes,,training,,")
    (tmp_path / "_background_noise_").mkdir()
    (tmp_path / "_background_noise_" / "hum.wav").touch()
    assert noise_files(manifest) == noise_files(tmp_path) != []


def test_a_label_without_clips_points_at_the_manifest(manifest):
    with pytest.raises(DataError, match=r"recordings to .*manifest\.csv, or take the keyword out"):
        require_labels([], ("yes",), "training", manifest)


WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Z")), min_size=1)


@QUICK
@given(
    st.lists(
        st.builds(
            Clip,
            WORD.map(lambda name: Path("/data") / f"x{name}"),
            WORD,
            WORD | st.just(""),
            st.just("training"),
            st.floats(0, 1e6),
            st.none() | st.floats(1e-6, 1e6),
        ),
        min_size=1,
        unique_by=lambda clip: (clip.path, clip.start_s),
    )
)
def test_any_clips_come_back(tmp_path_factory, clips):
    path = tmp_path_factory.mktemp("round") / "manifest.csv"
    write_manifest(path, clips)
    assert read_manifest(path) == clips


FIELD = st.sampled_from(
    ["a.wav", "yes", "Bo", "training", "testing", "1", "-1", "", '"', '"a', "é"]
)
ROWS = st.lists(st.lists(FIELD, max_size=8).map(",".join), max_size=5)


@QUICK
@given(ROWS.map(lambda rows: "\n".join((HEADER, *rows)).encode()) | st.binary())
@example(b"\xff\xfe" + HEADER.encode("utf-16-le"))
@example(HEADER.encode() + b"\n\x00\n")
@example(b'"')
def test_whatever_is_in_a_manifest_it_is_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("odd") / "manifest.csv"
    path.write_bytes(data)
    try:
        clips = read_manifest(path)
    except DataError as error:
        message = str(error)
    else:
        message = f"{path}: {len(clips)}"
        assert all(clip.label and clip.split and clip.start_s >= 0 for clip in clips)
    assert message.startswith(f"{path}: ")
    assert not message.endswith(": 0")
