"""Look for what is wrong with the clips."""

import argparse

HELP = "look for what is wrong with the clips"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
