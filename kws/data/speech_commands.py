"""Speaker and split of a clip by its file name, as the Speech Commands data set defines them.

Pete Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018
(arXiv:1804.03209), section 5: the hash of a speaker decides on the split, so that all clips of a
speaker stay together and no clip changes its split when others are added.
"""

import hashlib

from kws.data.manifest import TESTING, TRAINING, VALIDATION

MAX_NUM_WAVS_PER_CLASS = 2**27 - 1
VALIDATION_PERCENT = 10.0
TESTING_PERCENT = 10.0
_MARK = "_nohash_"
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
"""The keywords of the twelve-class task (section 6); unknown and silence are the other two."""


def speaker_of(name: str) -> str:
    """The speaker in a file name, ``SPEAKER_nohash_NUMBER.wav``.

    Without ``_nohash_`` the name less its suffix stands for a speaker of its own.
    """
    before, mark, _ = name.partition(_MARK)
    return before if mark else name.rpartition(".")[0] or name


def speaker_of_unknown(name: str) -> str:
    """The speaker of the test archive's unknown word ``WORD_SPEAKER_nohash_NUMBER.wav.wav``."""
    return speaker_of(name).rpartition("_")[2]


def split_of(
    speaker: str,
    validation_percent: float = VALIDATION_PERCENT,
    testing_percent: float = TESTING_PERCENT,
) -> str:
    """The split of a speaker, by a hash of the name: others that come or go change nothing."""
    number = int(
        hashlib.sha1(speaker.encode(errors="surrogateescape"), usedforsecurity=False).hexdigest(),
        16,
    )
    percent = number % (MAX_NUM_WAVS_PER_CLASS + 1) * (100.0 / MAX_NUM_WAVS_PER_CLASS)
    if percent < validation_percent:
        return VALIDATION
    if percent < validation_percent + testing_percent:
        return TESTING
    return TRAINING
