"""Record words at the microphone: one take after another, each trimmed and checked."""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kws.audio.microphone import Microphone
    from kws.data.recording import Session
    from prepare.record_screen import Screen

HELP = "record words at the microphone"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--label", nargs="+", required=True, metavar="WORD", help="words to say")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the data folder")
    parser.add_argument(
        "--count", type=_count, default=10, metavar="N", help="takes of each word (default: 10)"
    )
    parser.add_argument(
        "--speaker",
        metavar="NAME",
        help="who speaks; decides on the split (default: a code made of your login name)",
    )
    parser.add_argument(
        "--device", type=int, metavar="N", help="microphone (default: the system's)"
    )
    parser.add_argument(
        "--clip-seconds", type=_seconds, default=1.0, metavar="S", help="length of a clip (1.0)"
    )
    parser.add_argument(
        "--auto",
        action="store_true",
        help="ask nothing: keep what passes its checks, else up to 3 retries",
    )


def main(arguments: argparse.Namespace) -> None:
    """Record until all is said, q or Ctrl-C; what was kept is on the disk by then."""
    from datetime import datetime

    from kws.audio.microphone import Microphone
    from kws.data.recording import Session
    from kws.data.recording_folder import RecordingFolder, speaker_name
    from kws.errors import KwsError
    from kws.recipe import FeatureConfig
    from prepare.record_keys import terminal_keys
    from prepare.record_screen import Lines, Live

    if not arguments.auto and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise KwsError("no terminal to press keys at; give --auto to record without keys")
    words = list(dict.fromkeys(arguments.label))
    speaker, rate = speaker_name(arguments.speaker), FeatureConfig().sample_rate_hz
    session_name = datetime.now().strftime("%Y%m%d-%H%M%S")
    folder = RecordingFolder(arguments.out, words, speaker, session_name)
    microphone = Microphone(rate, arguments.device)
    heard_by = (microphone.name, microphone.device_rate_hz)
    session = Session(
        words * arguments.count,  # in turn: a word said ten times on end becomes a song
        rate,
        arguments.clip_seconds,
        lambda word, take: folder.keep(word, take, *heard_by),
    )
    _introduce(speaker, arguments.speaker is not None)
    print(f"microphone {microphone.name!r} at {microphone.device_rate_hz} Hz", flush=True)
    screen: Screen = Lines(session) if arguments.auto else Live(session)
    try:
        with microphone, screen, terminal_keys(arguments.auto) as key:
            _record(session, microphone, screen, key, arguments.auto)
    finally:
        _sum_up(session, words, arguments.count, folder.root)
    if arguments.auto and not session.counted("kept"):
        raise KwsError(
            "no take passed its checks; the lines above say why: mend that and run it again"
        )


def _introduce(speaker: str, named: bool) -> None:
    """Say who speaks, and for which split: that of a name is not to be chosen."""
    from kws.data.manifest import TRAINING
    from kws.data.speech_commands import split_of

    whose = "" if named else " (from your login name; someone else: --speaker NAME)"
    split = split_of(speaker)
    print(f"speaker {speaker}{whose}: all clips are for {split}")
    if split != TRAINING:
        print(f"{split} clips train nothing; under another --speaker name they may")


def _record(
    session: "Session",
    microphone: "Microphone",
    screen: "Screen",
    key: Callable[[], str],
    alone: bool,
) -> None:
    """Feed the session sound and keys until it is done; the sound is the clock."""
    from kws.data.recording import State

    for block in microphone:
        session.push(block, microphone.dropped)
        screen.push(block)
        if alone:
            session.decide_alone()
        elif pressed := key():
            screen.note = ""
            _act(pressed, session, screen)
        if session.state is State.DONE:
            return


def _act(key: str, session: "Session", screen: "Screen") -> None:
    """Do what a key stands for; others stand for nothing."""
    from kws.audio.loudspeaker import stop

    actions = {
        "\r": session.go_on,
        "\n": session.go_on,
        "k": session.keep,
        "r": session.retry,
        "s": session.skip,
        "q": session.quit,
        "p": lambda: _replay(session, screen),
    }
    if action := actions.get(key.lower()):
        stop()  # a replay must not be heard in the next take
        action()


def _replay(session: "Session", screen: "Screen") -> None:
    """Play the take; where that cannot be, say so and go on."""
    from kws.audio.loudspeaker import play
    from kws.errors import AudioError

    if session.take is None:
        return
    try:
        play(session.take.clip, session.sample_rate_hz)
    except AudioError as error:
        screen.note = str(error)


def _sum_up(session: "Session", words: list[str], count: int, root: Path) -> None:
    """Say what was kept and what was not, whatever ended the session."""
    kept, skipped = session.counted("kept"), session.counted("skipped")
    parts = [
        f"{word} {kept[word]} of {count}" + (f" ({skipped[word]} skipped)" if skipped[word] else "")
        for word in words
    ]
    takes = "1 take" if kept.total() == 1 else f"{kept.total()} takes"
    print(f"kept {takes} in {root}: {', '.join(parts)}", flush=True)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 10000:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of takes, 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.3 <= seconds <= 10:
        raise argparse.ArgumentTypeError(f"{text}: expected seconds from 0.3 to 10")
    return seconds
