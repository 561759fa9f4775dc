"""Let synthesizers speak words and sentences."""

import argparse

HELP = "let synthesizers speak words and sentences"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
