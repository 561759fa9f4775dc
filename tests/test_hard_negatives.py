"""The whole loop: what a detector is wrong about is kept, trained on, and no longer accepted."""

import json

import numpy as np
from conftest import TONES, run_tool
from tones import RATE, chirp

from kws.audio.annotation import SpokenWord, write_words
from kws.audio.io import write

GAP_S = 1.2


def record(path, words, backwards: bool, seed: int) -> None:
    """Chirps with gaps between: the keywords, or the keywords played backwards, which are none."""
    rng, pieces, said, at = np.random.default_rng(seed), [], [], 0
    for word in words:
        start_hz, end_hz = TONES[word]
        sound = chirp(end_hz, start_hz, rng) if backwards else chirp(start_hz, end_hz, rng)
        gap = np.zeros(round(GAP_S * RATE), np.float32)
        at += len(gap)
        said.append(SpokenWord(word, at / RATE, (at + len(sound)) / RATE))
        pieces += [gap, sound]
        at += len(sound)
    audio = np.concatenate([*pieces, np.zeros(RATE, np.float32)])
    write(path, audio + rng.normal(0, 1e-3, len(audio)), RATE)
    if not backwards:
        write_words(path.with_suffix(".txt"), said)


def figures(model, recordings, tmp_path) -> tuple[int, int]:
    """Missed keywords, and false accepts in sounds that are none."""
    out = tmp_path / "figures.json"
    said = ("--stream", recordings / "said")
    run_tool("evaluate.py", model, *said, "--negatives", recordings / "none", "--json", out)
    values = json.loads(out.read_text())
    return values["missed"]["count"], values["false_accepts"]["count"]


def test_false_accepts_fall(tone_run, tone_recipe, tone_data, tmp_path):
    words = ["low", "high"] * 20
    recordings, home, kept = tmp_path / "test", tmp_path / "home.wav", tmp_path / "kept"
    record(recordings / "said" / "a.wav", words, backwards=False, seed=1)
    record(recordings / "none" / "a.wav", words, backwards=True, seed=2)
    record(home, words, backwards=True, seed=3)
    missed, accepted = figures(tone_run / "model.tflite", recordings, tmp_path)
    assert accepted >= 10
    listen = ("--wav", home, "--fast", "--save-triggers", kept)
    run_tool("mic_demo.py", tone_run / "model.tflite", *listen)
    assert len(list(kept.rglob("*.wav"))) >= 10
    out = tmp_path / "run"
    train = (tone_recipe, "--data", tone_data, "--out", out, "--hard-negatives", kept)
    run_tool("train.py", *train)
    run_tool("convert.py", out)
    missed_now, accepted_now = figures(out / "model.tflite", recordings, tmp_path)
    assert accepted_now <= accepted / 2
    assert missed_now <= missed + 2
