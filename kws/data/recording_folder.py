"""Where takes go: ``<word>/<speaker>_nohash_<n>.wav`` in a data folder, and a log beside them."""

import csv
import getpass
import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from kws.audio.io import write
from kws.audio.take import Take
from kws.data.speech_commands import speaker_of
from kws.errors import DataError, StorageError
from kws.files import storage_error, write_text
from kws.recipe_data import SILENCE, UNKNOWN

LOG_NAME = "recordings.csv"
COLUMNS = (
    *("time", "path", "label", "speaker", "session", "device", "device_rate_hz", "rate_hz"),
    *("level_dbfs", "peak_dbfs", "noise_dbfs", "word_start", "word_end", "checks"),
)
_LONGEST_NAME = 64


class RecordingFolder:
    """A data folder that takes are added to; nothing that is there is overwritten.

    Parameters
    ----------
    root : the data folder; made where it is missing. A word has its folder from its first take on.
    words : what will be said.
    speaker : as :func:`speaker_name` gives it.
    session : a name for this sitting, in the log.

    Raises
    ------
    DataError
        When a word cannot be a folder's name, or the log that is there is another table.
    StorageError
        When the folder cannot be made or written to.
    """

    def __init__(self, root: Path, words: Sequence[str], speaker: str, session: str):
        self.root, self.speaker, self.session = root, speaker, session
        self.log = root / LOG_NAME
        for word in words:
            check_word(word)
        self._logged()
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, root) from error
        if not os.access(root, os.W_OK):
            raise StorageError(f"{root}: no permission to write; choose another --out")

    def keep(self, word: str, take: Take, device: str, device_rate_hz: int) -> Path:
        """Write a take's clip under the next free number, then its line in the log."""
        number = self._next_number(self.root / word)
        path = self.root / word / f"{self.speaker}_nohash_{number}.wav"
        write(path, take.clip, take.sample_rate_hz)
        start_s, end_s = take.word or ("", "")
        found = ";".join(problem.kind for problem in take.problems) or "passed"
        row = (
            *(datetime.now().astimezone().isoformat(timespec="seconds"), f"{word}/{path.name}"),
            *(word, self.speaker, self.session, device, device_rate_hz, take.sample_rate_hz),
            *(f"{level:.1f}" for level in (take.level_dbfs, take.peak_dbfs, take.noise_dbfs)),
            *(start_s, end_s, found),
        )
        write_text(self.log, self._logged() + _line(row))
        return path

    def _next_number(self, folder: Path) -> int:
        """One more than the highest of this speaker, whatever the suffix or the case of letters."""
        wanted = re.compile(rf"{re.escape(self.speaker)}_nohash_(\d+)\.", re.IGNORECASE)
        names = (unicodedata.normalize("NFC", path.name) for path in folder.glob("*"))
        found = (wanted.match(name) for name in names)
        return max((int(match[1]) + 1 for match in found if match), default=0)

    def _logged(self) -> str:
        """The log as it is; its header where there is none yet."""
        try:
            text = self.log.read_text(encoding="utf-8")
        except FileNotFoundError:
            return _line(COLUMNS)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{self.log}: cannot be read ({error}); move it away") from error
        header = text.partition("\n")[0].rstrip("\r")
        if header != ",".join(COLUMNS):
            raise DataError(
                f"{self.log}: not a log of recordings: begins with {header[:40]!r}, expected "
                f"{','.join(COLUMNS[:4])},...; move it away or record into another folder"
            )
        return text if text.endswith("\n") else text + "\n"


def check_word(word: str) -> None:
    """Refuse a word that cannot be a label and the name of its folder.

    Raises
    ------
    DataError
    """
    if word.casefold() in (UNKNOWN, SILENCE):
        raise DataError(
            f"--label {word}: stands for other words and for none; record other words under their "
            "own names, all that are not keywords count as unknown; silence is made from noise"
        )
    if not re.fullmatch(r"[^\W_][\w'-]*", word) or len(word) > _LONGEST_NAME:
        raise DataError(
            f"--label {word!r}: not a word; expected letters and digits, no space (several words: "
            "join them with '-'), one label after another: --label yes no"
        )


def speaker_name(given: str | None) -> str:
    """The speaker as it stands in file names; without a name, one made of the login name.

    A speaker's name decides on the split of all clips. So without a name it must be the same in
    every session of a person, or a voice would come into two splits; a name by chance would not
    do. It is a hash, so that data can be handed on without the login name in them. Persons at one
    login count as one speaker, which is harmless: their clips share a split.

    Raises
    ------
    DataError
        When the name does not fit into a file name, or there is none and no login name either.
    """
    if given is None:
        try:
            login = getpass.getuser()
        except (OSError, KeyError, ImportError) as error:
            raise DataError("no login name to tell the speaker by: give --speaker NAME") from error
        return hashlib.sha256(f"kws speaker {login}".encode()).hexdigest()[:8]
    name = unicodedata.normalize("NFC", given)
    fits = re.fullmatch(r"\w[\w.-]*", name) and not name.startswith("_")
    if not fits or speaker_of(f"{name}_nohash_0.wav") != name or len(name) > _LONGEST_NAME:
        raise DataError(
            f"--speaker {given!r}: not fit for a file name; expected letters, digits, '-' and '_', "
            f"at most {_LONGEST_NAME}, such as anna or 4f2c"
        )
    return name


def _line(row: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(row)
    return text.getvalue()
