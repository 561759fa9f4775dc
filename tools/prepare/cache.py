"""List or prune the features that were kept."""

import argparse

HELP = "list or prune the features that were kept"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
