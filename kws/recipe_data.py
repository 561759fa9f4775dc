"""The data section of a recipe."""

from typing import Annotated

from pydantic import Field, model_validator

from kws.recipe_base import Label, Probability, Section

UNKNOWN, SILENCE = "unknown", "silence"


class SyntheticConfig(Section):
    """A corpus that the toolkit speaks itself (espeak-ng), for a first run without any data."""

    other_words: Annotated[list[Label], Field(min_length=1)]
    sentences: Annotated[list[str], Field(min_length=1)]
    """Sentences without keywords; cut into clips, they become unknown speech."""
    takes_per_keyword: Annotated[int, Field(ge=10, le=100_000)] = 240
    takes_per_word: Annotated[int, Field(ge=1, le=100_000)] = 24
    takes_per_sentence: Annotated[int, Field(ge=1, le=100_000)] = 12
    passage: Annotated[list[str], Field(min_length=1)]
    """What is said in the test passage, by voices that the corpus does not use."""


class DataConfig(Section):
    """Which words, and where the clips come from."""

    keywords: Annotated[list[Label], Field(min_length=1, max_length=60)]
    folder: str | None = None
    """Data folder where ``--data`` is not given, relative to the current folder."""
    clip_ms: Annotated[float, Field(ge=100, le=10_000)] = 1000.0
    unknown: bool = True
    """Whether other words are a class; without it their clips are left out."""
    silence_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    """Silence clips, as a share of all clips of a split; 0: silence is no class."""
    max_bad_fraction: Probability = 0.01
    """Training stops if more than this share of the clips cannot be read."""
    synthetic: SyntheticConfig | None = None

    @model_validator(mode="after")
    def _distinct(self) -> "DataConfig":
        reserved = {UNKNOWN, SILENCE} & set(self.keywords)
        if reserved:
            raise ValueError(f"{sorted(reserved)[0]!r} is a class of its own, not a keyword")
        if len(set(self.keywords)) != len(self.keywords):
            raise ValueError("a keyword stands twice in the list")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the model's outputs: keywords, unknown, silence."""
        others = ((UNKNOWN, self.unknown), (SILENCE, self.silence_share > 0))
        return (*self.keywords, *(label for label, wanted in others if wanted))
