"""Small archives in the official layout of Speech Commands."""

import io
import tarfile
import wave
from pathlib import Path

from kws.data.speech_commands import COMMANDS, split_of

SPLITS = ("training", "validation", "testing")
OTHERS = ("bird", "marvin", "tree")
PER_WORD = {"training": 3, "validation": 1, "testing": 1}
NAMES = [f"{number:08x}" for number in range(1000)]
SPEAKERS = {split: [name for name in NAMES if split_of(name) == split] for split in SPLITS}


def sound() -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(320))
    return data.getvalue()


def corpus_files(words=(*COMMANDS, *OTHERS)) -> dict[str, bytes]:
    """The corpus as the official archive has it: 3, 1 and 1 clips a word."""
    files, listed = {}, {split: [] for split in SPLITS}
    for word in words:
        for split, count in PER_WORD.items():
            for speaker in SPEAKERS[split][:count]:
                name = f"{word}/{speaker}_nohash_0.wav"
                files[name] = sound()
                listed[split].append(name + "\n")
    files["_background_noise_/hiss.wav"] = sound()
    files["validation_list.txt"] = "".join(listed["validation"]).encode()
    files["testing_list.txt"] = "".join(listed["testing"]).encode()
    return files


def official_test_files(speaker: str) -> dict[str, bytes]:
    files = {f"{word}/{speaker}_nohash_{i}.wav": sound() for word in COMMANDS for i in range(2)}
    for word in OTHERS:
        files[f"_unknown_/{word}_{speaker}_nohash_0.wav.wav"] = sound()
    return files | {f"_silence_/{number}.wav": sound() for number in range(3)}


def lay(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz", compresslevel=1) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return data.getvalue()
