"""Spot keywords live from a microphone, or in a sound file, and show what is heard."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import run

if TYPE_CHECKING:
    import numpy as np
    from demo.command import Command
    from demo.lines import Lines
    from demo.screen import Screen
    from demo.web import Page

    from kws.audio.blocks import Microphones
    from kws.spotting.triggers import Triggers
    from kws.tflite.metadata import Metadata


def main() -> None:
    """Read arguments, listen, show."""
    arguments = _parse()
    if arguments.list_devices:
        _list_devices()
        return
    import kws

    command = _command(arguments)
    model = kws.load(arguments.model, arguments.engine)
    triggers = _triggers(arguments, model.metadata)
    listening = _Listening(arguments, model.metadata)
    listening.go(model.stream(), command, triggers)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL.tflite")
    parser.add_argument("--device", type=int, metavar="N", help="microphone; see --list-devices")
    parser.add_argument("--list-devices", action="store_true", help="list microphones and end")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="a sound file, not the microphone")
    parser.add_argument("--fast", action="store_true", help="the file at once, not at its pace")
    parser.add_argument("--plain", action="store_true", help="one line a detection")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--web",
        type=int,
        nargs="?",
        const=8765,
        metavar="PORT",
        help="also show it on a page on this machine, http://127.0.0.1:8765",
    )
    parser.add_argument(
        "--exec",
        metavar="COMMAND",
        help="run it at each detection, without a shell; KWS_KEYWORD, KWS_SCORE, KWS_TIME_S tell; "
        "it gets no input, what it prints goes to standard error, under the live screen nowhere",
    )
    parser.add_argument(
        "--save-triggers",
        type=Path,
        metavar="DIR",
        help="keep the sound around each detection and near miss",
    )
    parser.add_argument(
        "--engine", choices=("litert", "tflm"), default="litert", help="default: litert"
    )
    arguments = parser.parse_args()
    if arguments.model is None and not arguments.list_devices:
        parser.error("MODEL.tflite is missing (tools/convert.py writes one)")
    if arguments.wav and arguments.device is not None:
        parser.error("--wav and --device: give one of the two")
    if arguments.fast and not arguments.wav:
        parser.error("--fast is for a file, --wav FILE")
    if arguments.plain and arguments.json:
        parser.error("--plain and --json: give one of the two")
    return arguments


def _list_devices() -> None:
    from kws.audio.devices import input_devices, why_none

    devices = input_devices()
    for device in devices:
        mark = "*" if device.is_default else " "
        rate = f"{device.channels} in, {device.sample_rate_hz:.0f} Hz"
        print(f"{mark} {device.number:>3}  {device.name}  ({rate})")
    if not devices:
        sys.stderr.write(f"{why_none()}\n")


def _in_lines(arguments: argparse.Namespace) -> bool:
    """One line a detection; else the live screen."""
    return arguments.json or arguments.plain or not sys.stdout.isatty()


def _command(arguments: argparse.Namespace) -> "Command | None":
    if not arguments.exec:
        return None
    from demo.command import Command

    return Command(arguments.exec, shown=_in_lines(arguments))


def _triggers(arguments: argparse.Namespace, facts: "Metadata") -> "Triggers | None":
    if not arguments.save_triggers:
        return None
    from kws.spotting.triggers import Triggers

    rate = facts.features.sample_rate_hz
    return Triggers(arguments.save_triggers, facts.keywords, facts.decoder, rate)


class _Listening:
    """Sound in, a face out."""

    def __init__(self, arguments: argparse.Namespace, facts: "Metadata"):
        self.arguments, self.facts = arguments, facts
        self.microphones: Microphones | None = None
        self.heard_s, self.found = 0.0, 0
        self.face = self._face()

    def go(self, spotter: Any, command: "Command | None", triggers: "Triggers | None") -> None:
        """Listen to the file's end, or until Ctrl-C, which is the way to end and no error."""
        from kws.spotting.live import watch

        with ExitStack() as stack:
            if triggers:
                stack.callback(triggers.finish)
            stack.enter_context(self.face)
            try:
                for moment in watch(spotter, self._blocks()):
                    self.heard_s, self.found = moment.time_s, self.found + len(moment.detections)
                    self.face.push(moment)
                    if command:
                        command.push(moment.detections, self.face.note)
                    if triggers:
                        triggers.push(moment)
            except KeyboardInterrupt:
                pass
        sys.stderr.write(self._summary(triggers.saved if triggers else None))

    def _face(self) -> "Lines | Screen | Page":
        if self.arguments.web is None:
            return self._terminal()
        from demo.web import Page

        return Page(self._terminal(), self.facts, self._dropped, self.arguments.web)

    def _terminal(self) -> "Lines | Screen":
        if _in_lines(self.arguments):
            from demo.lines import Lines

            return Lines(self.arguments.json)
        from demo.screen import Screen

        return Screen(self.facts, self._dropped)

    def _dropped(self) -> int:
        return self.microphones.dropped if self.microphones else 0

    def _blocks(self) -> "Iterator[np.ndarray]":
        from kws.audio.blocks import Microphones, file_blocks

        rate = self.facts.features.sample_rate_hz
        if self.arguments.wav:
            return file_blocks(self.arguments.wav, rate, self.arguments.fast)
        words = " ".join(self.facts.keywords)

        def tell(text: str) -> None:
            begins = text.startswith("listening")
            self.face.note(f"{text} for: {words} (Ctrl-C ends)" if begins else text)

        self.microphones = Microphones(rate, self.arguments.device, tell)
        return iter(self.microphones)

    def _summary(self, saved: int | None) -> str:
        what = f"{self.found} detection{'' if self.found == 1 else 's'}"
        place = self.arguments.save_triggers
        kept = "" if saved is None else f", {saved} sounds kept in {place}"
        if self.microphones:
            dropped = f"{self.microphones.dropped} blocks dropped"
            return f"heard {self.heard_s:.1f} s: {what}, {dropped}{kept}\n"
        return f"{self.arguments.wav}: {what}{kept}\n"


if __name__ == "__main__":
    run(main)
