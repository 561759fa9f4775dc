"""Download google speech commands and make a task of it."""

import argparse

HELP = "download Google Speech Commands and make a task of it"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
