"""The official archives of Speech Commands: where they are, their checksums, and getting them.

The corpus is unpacked to a folder of its own, the test archive to ``_test_`` in it. What each was
made of is kept in its ``source.json``.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kws.data.archive import require_free, unpacked
from kws.data.big_files import megabytes, sha256_of
from kws.data.download import WAITS_S, Remote, download
from kws.errors import DataError
from kws.files import write_json

TEST_FOLDER = "_test_"
SOURCE = "source.json"
LISTS = ("validation_list.txt", "testing_list.txt")
_UNPACKED_PER_BYTE = 1.5
"""An unpacked archive is 1.42 times as large (clips of 32 kB, in whole blocks of the disk)."""


@dataclass(frozen=True)
class Official:
    """A version of the data set, as it is published."""

    corpus: Remote
    test: Remote


_BASE_URL = "http://download.tensorflow.org/data"

# SHA-256 as in the checksum lists of TensorFlow Datasets (v0.02), torchaudio (both corpora) and
# Hugging Face's SUPERB (v0.01; its value for the corpus is torchaudio's).
ARCHIVES = {
    "v0.01": Official(
        Remote(
            f"{_BASE_URL}/speech_commands_v0.01.tar.gz",
            1_489_096_277,
            "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
        ),
        Remote(
            f"{_BASE_URL}/speech_commands_test_set_v0.01.tar.gz",
            71_271_436,
            "baa084f6b62c91de660ff0588ae4dfc4e4d534aa99ac0e5f406cba75836cbd00",
        ),
    ),
    "v0.02": Official(
        Remote(
            f"{_BASE_URL}/speech_commands_v0.02.tar.gz",
            2_428_923_189,
            "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        ),
        Remote(
            f"{_BASE_URL}/speech_commands_test_set_v0.02.tar.gz",
            112_563_277,
            "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
        ),
    ),
}


def get_corpus(
    folder: Path, version: str, archive: Path | None, waits_s: Sequence[float] = WAITS_S
) -> list[str]:
    """Make sure that a version's corpus lies in ``folder``; what is there is not made again.

    Parameters
    ----------
    archive : a file in the official layout; None downloads the official one to beside ``folder``.
    waits_s : as in :func:`kws.data.download.download`.

    Returns
    -------
    Sentences about what was found that people should read.

    Raises
    ------
    DataError, StorageError
        When ``folder`` holds another version or other things, or as ``download`` and ``unpacked``.
    """
    return _get(folder, folder, ARCHIVES[version].corpus, archive, LISTS, waits_s)


def get_test(
    folder: Path, version: str, archive: Path | None, waits_s: Sequence[float] = WAITS_S
) -> list[str]:
    """Make sure that a version's test archive lies in ``_test_`` of the corpus ``folder``.

    As :func:`get_corpus`.
    """
    special = ("_unknown_", "_silence_")
    return _get(folder / TEST_FOLDER, folder, ARCHIVES[version].test, archive, special, waits_s)


def _get(
    target: Path,
    corpus: Path,
    official: Remote,
    archive: Path | None,
    expected: tuple[str, ...],
    waits_s: Sequence[float],
) -> list[str]:
    source = _source(target)
    if source:
        if source["version_of"] != official.name:
            raise DataError(
                f"{target}: made of {source['version_of']}, expected {official.name}; "
                "give another folder for this version"
            )
        return [f"{target}: there already, {archive} is not read again"] if archive else []
    require_free(target)
    notes = []
    if archive:
        sha256 = sha256_of(archive)
        if sha256 != official.sha256:
            notes.append(_other_checksum(archive, sha256, official))
    else:
        # Beside the corpus, which is made whole by renaming.
        archive = corpus.resolve().parent / official.name
        spare = round((official.size_bytes or 0) * _UNPACKED_PER_BYTE)
        sha256 = download(official, archive, spare, waits_s)
        if official.sha256 is None:
            notes.append(_other_checksum(archive, sha256, official))
        size = megabytes(archive.stat().st_size)
        notes.append(f"{archive} ({size}) is no longer needed and may be deleted")
    with unpacked(archive, target) as folder:
        for name in expected:
            if not (folder / name).exists():
                raise DataError(
                    f"{archive}: no {name} in it, expected the layout of {official.name}"
                )
        facts = {"version_of": official.name, "archive": archive.name, "sha256": sha256}
        write_json(folder / SOURCE, facts)
    return notes


def _other_checksum(archive: Path, sha256: str, official: Remote) -> str:
    if official.sha256:
        return (
            f"{archive}: its checksum is not the official one of {official.name}: figures do not "
            f"compare with published ones (SHA-256 {sha256}, official {official.sha256})"
        )
    return (
        f"{archive}: not checked, no official checksum of {official.name} is known; its SHA-256 "
        f"is {sha256}"
    )


def _source(target: Path) -> dict[str, str]:
    """What ``target`` was made of; nothing where it was not made yet."""
    path = target / SOURCE
    if not path.is_file():
        return {}
    try:
        facts: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return {name: facts[name] for name in ("version_of", "archive", "sha256")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: damaged ({error}); delete {target} and run the same command again"
        ) from error
