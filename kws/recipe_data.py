"""The data section of a recipe."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, model_validator

from kws.recipe_base import Label, Probability, Section

UNKNOWN, SILENCE = "unknown", "silence"
UNSEEN = ("on", "off", "bird", "dog", "nine", "wow")
"""Never heard in training where a recipe names no others. `on` and `off` are the commands that
commands are mistaken for; the other four are, of the words that Speech Commands has fewest clips
of, those whose phonemes are nearest to common keywords (nine, bird and dog to "down", wow to "no"
and "go")."""


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


class SpokenConfig(Section):
    """Clips that espeak-ng speaks for training, beside those of the data folder."""

    takes_per_keyword: Annotated[int, Field(ge=0, le=100_000)] = 200
    near_misses: Annotated[int, Field(ge=0, le=1000)] = 24
    """For each keyword: words and non-words a few phonemes away, never one of the same sound; they
    are ``unknown``. Those that are ``unseen_words`` are passed over."""
    takes_per_near_miss: Annotated[int, Field(ge=1, le=100_000)] = 16
    sentences: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Of common words, English, without keywords and ``unseen_words``: some three seconds each, cut
    into clips of ``unknown`` as ``data.negatives`` are."""
    sentence_languages: list[str] = Field(default_factory=list)
    """By whose rules espeak-ng's voices read the sentences, in turn, such as ``en-us``, ``de``;
    where not given: eight accents of English."""


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
    unseen_words: list[Label] | None = None
    """Words in no split, on which the finished model shows what it does with words never heard;
    where not given: on, off, bird, dog, nine and wow, as far as they are no keywords."""
    made_unknown_share: Probability = 0.0
    """Unknown words made of parts of training clips, as a share of these: most are nearly keywords,
    such as the "dough" of "down" and "go". They come on top, and as many keywords joined of takes
    of themselves, so that a joint tells nothing."""
    language: str = "en-us"
    """One of espeak-ng's, by whose rules made unknown words are told from keywords."""
    extra: list[Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=list)
    """Folders or manifests of more clips to train on, such as near misses and keywords by
    ``prepare_data.py say``; unseen words in them are passed over, their splits do not matter."""
    negatives: list[Annotated[str, StringConstraints(min_length=1)]] = Field(default_factory=list)
    """Folders of long recordings without any keyword (talk, television), to train on: they are cut
    into overlapping clips of ``unknown``."""
    spoken: SpokenConfig | None = None
    synthetic: SyntheticConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, values: Any) -> Any:
        """Write the default words into the recipe: they must not change under a trained model."""
        if isinstance(values, dict) and values.get("unseen_words") is None:
            keywords = values.get("keywords")
            taken = keywords if isinstance(keywords, list) else []
            return {**values, "unseen_words": [word for word in UNSEEN if word not in taken]}
        return values

    @model_validator(mode="after")
    def _distinct(self) -> "DataConfig":
        reserved = {UNKNOWN, SILENCE} & set(self.keywords)
        if reserved:
            raise ValueError(f"{sorted(reserved)[0]!r} is a class of its own, not a keyword")
        if len(set(self.keywords)) != len(self.keywords):
            raise ValueError("a keyword stands twice in the list")
        return self

    @model_validator(mode="after")
    def _unknown_words(self) -> "DataConfig":
        for word in self.unseen:
            if word in self.keywords:
                raise ValueError(
                    f"unseen_words: {word!r} is a keyword, which training must hear; take it out "
                    "of one of the lists"
                )
            if word in (UNKNOWN, SILENCE):
                raise ValueError(f"unseen_words: {word!r} is a class, expected words of the data")
        if len(set(self.unseen)) != len(self.unseen):
            raise ValueError("unseen_words: a word stands twice in the list")
        if not self.unknown and self.made_unknown_share:
            raise ValueError("made_unknown_share is for the class unknown, but unknown is false")
        if not self.unknown and self.negatives:
            raise ValueError("negatives are for the class unknown, but unknown is false")
        if not self.unknown and self.spoken and self.spoken.sentences:
            raise ValueError("spoken.sentences are for the class unknown, but unknown is false")
        return self

    @property
    def unseen(self) -> tuple[str, ...]:
        """The words kept out of all splits."""
        return tuple(self.unseen_words or ())

    @property
    def labels(self) -> tuple[str, ...]:
        """Classes in the order of the model's outputs: keywords, unknown, silence."""
        others = ((UNKNOWN, self.unknown), (SILENCE, self.silence_share > 0))
        return (*self.keywords, *(label for label, wanted in others if wanted))
