"""The program that comes with a package: a WAV file in; features, posteriors and detections out."""

import subprocess

import numpy as np
import pytest
import soundfile
from c_package import WARNINGS, compiler
from test_c_engine import SMALL, clips

from kws.audio.features import extract
from kws.firmware.export import export
from kws.spotting.decoder import Decoder
from kws.spotting.hearing import calls_per_second
from kws.tflite.interpreter import open_model

WINDOW = SMALL.parents[1] / "bigru_window" / "model.tflite"


@pytest.fixture(scope="module", params=[(SMALL, "float"), (SMALL, "fixed"), (WINDOW, "float")])
def program(request, tmp_path_factory):
    """The model, and its program compiled as its README says."""
    model, arithmetic = request.param
    folder = tmp_path_factory.mktemp("program")
    export(model, folder, "c", arithmetic)
    sources = sorted(path.name for path in folder.glob("kws*.c"))
    flags = ["-std=c99", *WARNINGS, "-O3", "-I."]
    command = [compiler("gcc"), *flags, "example/wav.c", *sources, "-lm", "-o", "wav"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return model, folder / "wav"


def rows(lines, what) -> np.ndarray:
    return np.array(
        [line.split()[1:] for line in lines if line.startswith(what)], dtype=int
    ).astype(np.int8)


def test_it_prints_what_python_computes(program, speech_data, tmp_path):
    model, path = program
    audio = np.concatenate(clips(speech_data, 20))
    soundfile.write(tmp_path / "a.wav", audio, 16000, subtype="PCM_16")
    done = subprocess.run([path, "-v", tmp_path / "a.wav"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    runner = open_model(model, "tflm")
    facts, rate = runner.metadata, runner.metadata.features.sample_rate_hz
    features, posteriors = rows(lines, "features"), rows(lines, "posteriors")
    desk = runner.inputs[0].quantize(extract(audio / np.float32(32768), facts.features))
    assert features.shape == desk.shape
    assert np.abs(features.astype(int) - desk).max() <= 1
    decoder = Decoder(facts.labels, facts.decoder, calls_per_second(facts))
    between, wanted = rate / facts.features.hop_samples / calls_per_second(facts), []
    for call, found in enumerate(posteriors):
        last = facts.frames_per_step + round(call * between)
        frames = features[last - facts.frames_per_step : last].reshape(runner.inputs[0].shape)
        stored = runner.step_stored(frames)
        np.testing.assert_array_equal(found, stored.reshape(-1))
        time_s = ((last - 1) * facts.features.hop_samples + facts.features.fft_size) / rate
        one = decoder.push(runner.outputs[0].dequantize(found), time_s)
        wanted += [f"{one.time_s:.3f} s  {one.keyword}  {one.score:.3f}"] if one else []
    assert len(posteriors) > 100
    assert [line for line in lines if " s  " in line] == wanted
    assert len(wanted) > 5


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 2)])
def test_other_files_are_refused(program, rate, channels, tmp_path):
    soundfile.write(tmp_path / "b.wav", np.zeros((rate, channels)), rate, subtype="PCM_16")
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    for name in ("b.wav", "c.wav"):
        done = subprocess.run([program[1], tmp_path / name], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name}: no WAV file of 16 bits, mono, 16000 Hz" in done.stderr
    done = subprocess.run([program[1], tmp_path / "gone.wav"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "gone.wav: cannot be opened" in done.stderr
