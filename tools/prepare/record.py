"""Record words at the microphone."""

import argparse

HELP = "record words at the microphone"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
