"""The clips of a data folder, told from those of another."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

from kws.data.corpus import read_clips
from kws.data.manifest import TESTING, TRAINING, VALIDATION
from kws.data.manifest_file import write_manifest
from kws.nn.fingerprint import clips_fingerprint

LABELS = ("low", "high", "unknown", "silence")


@pytest.fixture
def folder(tmp_path):
    """Three words of 80 speakers; nobody listens to them."""
    rng = np.random.default_rng(0)
    for word in ("low", "high", "middle"):
        (tmp_path / "data" / word).mkdir(parents=True)
        for speaker in range(80):
            path = tmp_path / "data" / word / f"{word}{speaker:03d}_nohash_0.wav"
            path.write_bytes(rng.bytes(200))
    return tmp_path / "data"


def test_it_is_the_same_wherever_the_clips_lie_and_whatever_they_are_for(folder, tmp_path):
    found = clips_fingerprint(folder, LABELS)
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(folder, copy)
    for path in copy.rglob("*.wav"):
        os.utime(path, (0, 0))
    assert clips_fingerprint(copy, LABELS) == found
    assert clips_fingerprint(folder, ("middle", "unknown", "silence")) == found
    clips = read_clips(folder, LABELS)
    named = [replace(clip, label=clip.word or clip.label) for clip in clips]
    write_manifest(tmp_path / "all.csv", named[::-1])
    assert clips_fingerprint(tmp_path / "all.csv", LABELS) == found
    next(clip.path for clip in clips if clip.split == TESTING).unlink()  # heard by nobody
    assert clips_fingerprint(folder, LABELS) == found


def test_it_is_another_where_a_clip_is(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("kws.nn.fingerprint._LOOKED_INTO", 240)  # all of them
    clips = read_clips(folder, LABELS)
    one = next(clip.path for clip in clips if clip.split == TRAINING)
    found = {clips_fingerprint(folder, LABELS)}
    sound = one.read_bytes()
    for changed in (sound[::-1], sound[:-1]):
        one.write_bytes(changed)
        found.add(clips_fingerprint(folder, LABELS))
    one.unlink()
    found.add(clips_fingerprint(folder, LABELS))
    one.symlink_to(tmp_path / "nowhere.wav")
    found.add(clips_fingerprint(folder, LABELS))
    assert len(found) == 5


def test_it_is_another_where_speakers_are_held_back_or_sounds_are_others(folder, tmp_path):
    clips = [replace(c, label=c.word or c.label) for c in read_clips(folder, LABELS)]
    found = {clips_fingerprint(folder, LABELS)}
    for split in (TESTING, VALIDATION):
        at = next(i for i, clip in enumerate(clips) if clip.split == TRAINING)
        held = [*clips[:at], replace(clips[at], split=split), *clips[at + 1 :]]
        write_manifest(tmp_path / "held.csv", held)
        found.add(clips_fingerprint(tmp_path / "held.csv", LABELS))
    for clip in clips:  # as many bytes each: some of 215 are looked into
        clip.path.write_bytes(clip.path.read_bytes()[::-1])
    found.add(clips_fingerprint(folder, LABELS))
    assert len(found) == 4
