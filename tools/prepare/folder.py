"""Make a manifest of any folder, or of someone's table of clips."""

import argparse

HELP = "make a manifest of any folder, or of someone's table of clips"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
