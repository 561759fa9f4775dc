"""A package's files on disk: all of them or none, and nobody else's touched."""

import io
import zipfile
from contextlib import ExitStack
from pathlib import Path

from kws.errors import StorageError
from kws.files import whole

MARK = "Written by tools/export_firmware.py"
"""Stands in the first line of every file of a package; files without it are left alone"""


def write_package(folder: Path, texts: dict[str, str], archive: str = "") -> list[Path]:
    """Write files by their names in a folder that is new, empty, or holds an earlier package.

    Parameters
    ----------
    archive : name of a zip file beside them, in which all lie in a folder of that name; or none.

    Raises
    ------
    StorageError
        When the folder holds something else, or cannot be written.
    """
    _require_ours(folder, {*texts, archive})
    contents = {name: text.encode() for name, text in texts.items()}
    if archive:
        contents[archive] = _zipped(contents, Path(archive).stem)
    paths = [folder / name for name in contents]
    with ExitStack() as all_written:  # renamed into place together, when the last one is written
        for path, data in zip(paths, contents.values(), strict=True):
            all_written.enter_context(whole(path)).write_bytes(data)
    return paths


def _zipped(contents: dict[str, bytes], root: str) -> bytes:
    """The same bytes for the same contents."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(f"{root}/{name}", (2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return file.getvalue()


def _require_ours(folder: Path, names: set[str]) -> None:
    """Refuse a folder that holds anything but an earlier package of these files."""
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder}: a file, expected a folder for the package")
    folders = {parent.as_posix() for name in names for parent in Path(name).parents}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and name in folders:
            continue
        ours = name in names and path.is_file()
        if not ours or (path.suffix != ".zip" and MARK.encode() not in _first_line(path)):
            raise StorageError(
                f"{folder}: holds something else ({name}); "
                "expected a new or empty folder, or an earlier package: give another --out"
            )


def _first_line(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.readline(200)
