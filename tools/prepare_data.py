"""Get data, look at them, make more of them: python tools/prepare_data.py COMMAND ..."""

import argparse

from cli import run
from prepare import (
    cache,
    check,
    features,
    folder,
    kokoro,
    long_wav,
    preview,
    record,
    say,
    scenes,
    speech_commands,
    talk,
    wake_mix,
)

COMMANDS = {
    "speech-commands": speech_commands,
    "folder": folder,
    "check": check,
    "record": record,
    "kokoro": kokoro,
    "say": say,
    "talk": talk,
    "scenes": scenes,
    "wake-mix": wake_mix,
    "long-wav": long_wav,
    "preview": preview,
    "features": features,
    "cache": cache,
}


def main() -> None:
    """Hand the arguments to the command that they name."""
    parser = argparse.ArgumentParser(description="Get training data, check them, make more.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        command = commands.add_parser(name, help=module.HELP, description=module.__doc__)
        module.add(command)
        command.set_defaults(main=module.main)
    arguments = parser.parse_args()
    arguments.main(arguments)


if __name__ == "__main__":
    run(main)
