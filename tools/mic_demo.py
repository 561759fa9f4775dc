"""Spot keywords live from a microphone, or in a sound file: one line a detection."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli import run

if TYPE_CHECKING:
    from kws.spotting.decoder import Detection
    from kws.tflite.interpreter import Runner


def main() -> None:
    arguments = _parse()
    if arguments.list_devices:
        _list_devices()
        return
    from kws.tflite.interpreter import open_model

    runner = open_model(arguments.model, arguments.engine)
    if arguments.wav:
        _read_file(arguments.wav, runner)
    else:
        _listen(arguments.device, runner)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL.tflite")
    parser.add_argument("--device", type=int, metavar="N", help="microphone; see --list-devices")
    parser.add_argument("--list-devices", action="store_true", help="list microphones and end")
    parser.add_argument("--wav", type=Path, metavar="FILE", help="a sound file, not the microphone")
    parser.add_argument(
        "--engine", choices=("litert", "tflm"), default="litert", help="default: litert"
    )
    arguments = parser.parse_args()
    if arguments.model is None and not arguments.list_devices:
        parser.error("MODEL.tflite is missing (tools/convert.py writes one)")
    if arguments.wav and arguments.device is not None:
        parser.error("--wav and --device: give one of the two")
    return arguments


def _list_devices() -> None:
    from kws.audio.microphone import input_devices

    devices = input_devices()
    for device in devices:
        mark = "*" if device.is_default else " "
        rate = f"{device.channels} in, {device.sample_rate_hz:.0f} Hz"
        print(f"{mark} {device.number:>3}  {device.name}  ({rate})")
    if not devices:
        _note("no microphone found: PortAudio knows of no device that records")


def _read_file(path: Path, runner: "Runner") -> None:
    from kws.spotting.spotter import spot_file

    found = spot_file(path, runner)
    for detection in found:
        _show(detection)
    _note(f"{path}: {_count(len(found))}")


def _listen(device: int | None, runner: "Runner") -> None:
    """Print detections until Ctrl-C, which is the way to end and no error."""
    from kws.audio.microphone import Microphone
    from kws.spotting.spotter import Spotter

    rate = runner.metadata.features.sample_rate_hz
    microphone = Microphone(rate, device)
    spotter, samples, found = Spotter(runner), 0, 0
    try:
        with microphone:
            words = " ".join(runner.metadata.keywords)
            at = f"{microphone.device_rate_hz} Hz"
            for block in microphone:
                if samples == 0:
                    _note(f"listening to {microphone.name!r} at {at} for: {words} (Ctrl-C ends)")
                samples += len(block)
                for detection in spotter.push(block):
                    found += 1
                    _show(detection)
    except KeyboardInterrupt:
        dropped = f"{microphone.dropped} blocks dropped"
        _note(f"heard {samples / rate:.1f} s: {_count(found)}, {dropped}")


def _show(detection: "Detection") -> None:
    print(f"{detection.time_s:9.2f} s  {detection.keyword:<12} {detection.score:.2f}", flush=True)


def _count(detections: int) -> str:
    return f"{detections} detection{'' if detections == 1 else 's'}"


def _note(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    run(main)
