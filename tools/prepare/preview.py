"""Hear and see what augmentation does."""

import argparse

HELP = "hear and see what augmentation does"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""


def main(arguments: argparse.Namespace) -> None:
    """Do it."""
    raise NotImplementedError
