"""Keyword spotting for microcontrollers: recurrent models from a recipe to proven int8 TFLite."""

__version__ = "0.1.0"
