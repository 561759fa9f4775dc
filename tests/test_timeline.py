"""What was said beside what was heard, on cases worked out by hand."""

import pytest

from kws.audio.annotation import SpokenWord
from kws.report.timeline import Line, print_timeline, timeline
from kws.spotting.decoder import Detection

KEYWORDS = ("yes", "no")


def said(word: str, start_s: float, end_s: float | None = None) -> SpokenWord:
    return SpokenWord(word, start_s, start_s + 0.5 if end_s is None else end_s)


def heard(keyword: str, time_s: float, score: float = 0.9) -> Detection:
    return Detection(keyword, time_s, score)


def test_nothing_said_and_nothing_heard():
    assert timeline([], [], KEYWORDS) == []


def test_a_keyword_and_its_detection_make_one_line_at_the_words_start():
    word, detection = said("yes", 1.0), heard("yes", 1.75)
    assert timeline([detection], [word], KEYWORDS) == [Line(1.0, word, detection)]


def test_a_missed_keyword_stands_alone():
    word = said("yes", 1.0)
    assert timeline([], [word], KEYWORDS) == [Line(1.0, word, None)]


def test_a_false_accept_stands_alone_at_its_own_time():
    detection = heard("yes", 3.0)
    assert timeline([detection], [], KEYWORDS) == [Line(3.0, None, detection)]


def test_words_that_are_no_keywords_are_left_out():
    assert timeline([], [said("house", 1.0), said("tree", 2.0)], KEYWORDS) == []


def test_a_detection_during_another_word_is_a_false_accept():
    detection = heard("yes", 1.25)
    assert timeline([detection], [said("house", 1.0)], KEYWORDS) == [Line(1.25, None, detection)]


def test_a_keyword_taken_for_another_is_a_miss_and_a_false_accept():
    word, detection = said("yes", 1.0), heard("no", 1.5)
    assert timeline([detection], [word], KEYWORDS) == [
        Line(1.0, word, None),
        Line(1.5, None, detection),
    ]


@pytest.mark.parametrize(
    ("time_s", "paired"),
    [
        (1.0, False),  # it has just begun
        (1.05, False),
        (1.1, True),  # 0.1 s after its start
        (1.5, True),
        (2.25, True),  # 0.75 s after its end
        (2.26, False),
        (9.0, False),
    ],
)
def test_a_detection_belongs_from_soon_after_the_start_to_a_while_after_the_end(time_s, paired):
    word, detection = said("yes", 1.0, 1.5), heard("yes", time_s)
    lines = timeline([detection], [word], KEYWORDS)
    assert len(lines) == (1 if paired else 2)
    assert (Line(1.0, word, detection) in lines) == paired


def test_the_first_detection_counts_and_the_second_is_a_false_accept():
    word, first, second = said("yes", 1.0), heard("yes", 1.25), heard("yes", 2.0)
    assert timeline([first, second], [word], KEYWORDS) == [
        Line(1.0, word, first),
        Line(2.0, None, second),
    ]


def test_one_detection_serves_one_word_only():
    early, late = said("yes", 1.0), said("yes", 1.75)
    detection = heard("yes", 2.0)  # in time for both: the earlier one gets it
    assert timeline([detection], [early, late], KEYWORDS) == [
        Line(1.0, early, detection),
        Line(1.75, late, None),
    ]


def test_two_of_the_same_word_get_their_detections_in_order():
    early, late = said("yes", 1.0), said("yes", 1.75)
    first, second = heard("yes", 1.5), heard("yes", 2.25)
    assert timeline([first, second], [early, late], KEYWORDS) == [
        Line(1.0, early, first),
        Line(1.75, late, second),
    ]


def test_lines_are_in_the_order_of_time():
    words = [said("yes", 1.0), said("house", 3.0), said("no", 5.0)]
    detections = [heard("no", 0.5), heard("yes", 1.5), heard("yes", 3.5), heard("no", 9.0)]
    lines = timeline(detections, words, KEYWORDS)
    assert [line.time_s for line in lines] == [0.5, 1.0, 3.5, 5.0, 9.0]
    assert [line.said.word if line.said else "" for line in lines] == ["", "yes", "", "no", ""]
    assert [line.heard.keyword if line.heard else "" for line in lines] == [
        "no", "yes", "yes", "", "no",
    ]  # fmt: skip


def test_every_keyword_and_every_detection_is_in_one_line():
    words = [said(word, float(at)) for at, word in enumerate(["yes", "no", "yes", "house", "no"])]
    detections = [heard(("yes", "no")[i % 2], 0.4 * i) for i in range(14)]
    lines = timeline(detections, words, KEYWORDS)
    times = sorted(line.heard.time_s for line in lines if line.heard)
    assert times == [detection.time_s for detection in detections]
    assert [line.said for line in lines if line.said] == [w for w in words if w.word in KEYWORDS]


def test_the_printed_counts(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    words = [said("yes", 1.0), said("no", 3.0), said("house", 5.0)]
    print_timeline([heard("yes", 1.5, 0.875), heard("no", 5.25)], words, KEYWORDS, seconds=60.0)
    out = capsys.readouterr().out
    assert "1 of 2 keywords heard, 1 false accepts, in 60 s" in out
    rows = [" ".join(line.replace("│", " ").split()) for line in out.splitlines()]
    assert "1.50 s yes 0.88 yes 1.00 s yes" in rows
    assert "3.00 s (missed) no 3.00 s no" in rows
    assert "5.25 s no 0.90 (false accept) house" in rows
