"""Label files beside recordings."""

import pytest

from kws.audio.annotation import SpokenWord, label_file, read_words, write_words
from kws.errors import DataError


def test_labels_survive_the_file(tmp_path):
    words = [SpokenWord("on the", 0.25, 0.5), SpokenWord("lights", 0.512, 1.0)]
    write_words(tmp_path / "a.txt", words)
    assert (tmp_path / "a.txt").read_text() == "0.250\t0.500\ton the\n0.512\t1.000\tlights\n"
    assert read_words(tmp_path / "a.txt") == words


@pytest.mark.parametrize(
    "line", ["0.1 0.2 lights", "0.5\t0.2\tlights", "x\t0.2\tlights", "0.1\t0.2\t", "nan\t1\tx"]
)
def test_labels_that_are_none_are_refused_with_their_line(line, tmp_path):
    (tmp_path / "a.txt").write_text(f"0.1\t0.2\tok\n\n{line}\n")
    with pytest.raises(DataError, match=r"line 3: found .* expected start and end in seconds"):
        read_words(tmp_path / "a.txt")


def test_labels_that_are_missing_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_words(tmp_path / "none.txt")


def test_audacity_writes_a_mark_of_bytes_and_frequencies_too(tmp_path):
    track = "\ufeff1.5\t2.0\tyes\n\\\t100.0\t2000.0\n3\t3\tno\n"
    (tmp_path / "a.txt").write_text(track, encoding="utf-8")
    assert read_words(tmp_path / "a.txt") == [SpokenWord("yes", 1.5, 2), SpokenWord("no", 3, 3)]


def test_a_table_has_start_end_and_label_in_any_order(tmp_path):
    (tmp_path / "a.csv").write_text('label,who,start,end\nyes,me,0.5,1.25\n"on, the",me,2,3\n')
    assert read_words(tmp_path / "a.csv") == [
        SpokenWord("yes", 0.5, 1.25),
        SpokenWord("on, the", 2, 3),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("begin,end,label\n0,1,yes\n", r"no column start \(found: begin, end, label\)"),
        ("", r"no column start, end, label \(found: nothing\)"),
        ("start,end,label\n0,1,yes\n1,x,no\n", r"line 3: found '1 x no'"),
        ("start,end,label\n0,1\n", r"line 2: found '0 1'"),
    ],
)
def test_tables_that_are_none_are_refused(text, message, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_words(tmp_path / "a.csv")


def test_the_label_file_is_beside_the_recording(tmp_path):
    assert label_file(tmp_path / "a.wav") is None
    (tmp_path / "a.csv").touch()
    assert label_file(tmp_path / "a.wav") == tmp_path / "a.csv"
