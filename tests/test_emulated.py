"""Firmware on an emulated Cortex-M: the same detections, and what it takes."""

from dataclasses import replace

import numpy as np
import pytest
from c_package import build_package
from conftest import refused, run_tool
from test_c_engine import SMALL, clips

from kws.audio.io import as_int16, write
from kws.errors import ModelError
from kws.firmware import emulated
from kws.firmware.emulated import missing_tools, profile
from kws.firmware.parts import PARTS, fit, require
from kws.firmware.profile import CYCLES_PER_INSTRUCTION, Profile

KB = 1024


@pytest.fixture
def arm():
    """GCC for ARM and QEMU; a test is skipped without."""
    if problem := missing_tools():
        pytest.skip(problem)


def noise(seconds: float) -> np.ndarray:
    """Bursts of noise with pauses."""
    samples = round(16000 * seconds)
    loud = np.sin(np.arange(samples) / 1500) > 0
    return as_int16(np.random.default_rng(0).normal(0, 0.1, samples) * loud)


@pytest.mark.usefixtures("arm")
def test_a_cortex_m4_detects_what_this_machine_does(speech_data, tmp_path):
    audio = np.concatenate(clips(speech_data, 20))
    found = profile(SMALL, audio)
    here = build_package(SMALL, tmp_path / "c").spot(audio)
    assert len(here) > 8
    assert [(one.keyword, one.time_s) for one in found.detections] == [
        (one.keyword, one.time_s) for one in here
    ]
    assert sum(found.flash.values()) - found.flash["C library"] <= 64 * KB
    assert found.ram_bytes + found.stack_bytes <= 16 * KB
    assert found.instructions["whole"] <= 12e6
    assert found.per_mac <= 2.5
    assert found.instructions["ran"] == pytest.approx(found.instructions["whole"], rel=0.05)


@pytest.mark.usefixtures("arm")
@pytest.mark.parametrize(
    ("cpu", "arithmetic"),
    [("cortex-m0", "fixed"), ("cortex-m3", "fixed"), ("cortex-m55", "float")],
)
def test_so_do_other_processors(cpu, arithmetic, speech_data, tmp_path):
    audio = np.concatenate(clips(speech_data, 5))
    found = profile(SMALL, audio, cpu)
    here = build_package(SMALL, tmp_path / "c", arithmetic=arithmetic).spot(audio)
    assert len(here) > 1
    assert [(one.keyword, one.time_s, one.score) for one in found.detections] == [
        (one.keyword, one.time_s, one.score) for one in here
    ]


@pytest.mark.usefixtures("arm")
@pytest.mark.parametrize("name", ["lstm_small", "gru_medium", "bigru_window", "dscnn_reference"])
def test_helium_computes_what_tflm_does(name):
    """Sixteen products at a time: the self-test on the board compares posteriors, to the byte."""
    helium = profile(SMALL.parents[1] / name / "model.tflite", noise(1.2), "cortex-m55")
    pairs = profile(SMALL.parents[1] / name / "model.tflite", noise(1.2), "cortex-m4")
    assert helium.per_mac < 0.8 * pairs.per_mac


@pytest.mark.usefixtures("arm")
def test_a_board_that_computes_something_else(tiny_model, monkeypatch):
    real = emulated.export

    def wrong(model, folder, *rest):
        real(model, folder, *rest)
        test = folder / "kws_self_test.c"
        test.write_text(test.read_text().replace("memcmp(", "!memcmp("))

    monkeypatch.setattr(emulated, "export", wrong)
    with pytest.raises(
        ModelError, match="on the emulated cortex-m4 posteriors differ from the desk's"
    ):
        profile(tiny_model, noise(1.2))


@pytest.mark.usefixtures("arm")
def test_firmware_that_is_too_large_for_the_board(tiny_model):
    with pytest.raises(ModelError, match=r"emulated cortex-m0 .255 KB of flash.*shorter audio"):
        profile(tiny_model, noise(20.0), "cortex-m0")


@pytest.mark.usefixtures("arm")
def test_counts_are_the_same_at_every_run(tiny_model):
    first, second = (profile(tiny_model, noise(1.5)) for _ in range(2))
    assert first == second
    assert first.per_mac > 1
    small = profile(tiny_model, noise(1.5), "cortex-m3")  # without FPU: in fixed point
    assert small.instructions["features"] < 4 * first.instructions["features"]


@pytest.mark.usefixtures("arm")
def test_the_table_from_the_terminal(tiny_model, tmp_path):
    write(tmp_path / "a.wav", noise(1.0) / 32768, 16000)
    shown = run_tool("profile_device.py", tiny_model, "--wav", tmp_path / "a.wav").stdout
    for word in ("features", "C library", "instructions a second", "nRF52840", "not counted"):
        assert word in shown


@pytest.mark.usefixtures("arm")
def test_a_package_s_readme_has_what_was_counted(tiny_model, tmp_path):
    run_tool("export_firmware.py", tiny_model, "--engine", "c", "--out", tmp_path / "c")
    readme = (tmp_path / "c" / "README.md").read_text()
    found = profile(tiny_model)
    assert f"| model | {found.flash['model']:,} | {found.instructions['model']:,.0f} |" in readme
    assert f"RAM: {found.ram_bytes:,} bytes, and {found.stack_bytes:,} of stack" in readme


@pytest.mark.usefixtures("arm")
def test_a_package_that_is_too_large_for_one_board_says_so(tmp_path):
    window = SMALL.parents[1] / "bigru_window" / "model.tflite"
    fixed = ("--engine", "c", "--arithmetic", "fixed")
    done = run_tool("export_firmware.py", window, *fixed, "--out", tmp_path / "c")
    assert "nothing on a cortex-m0" in done.stderr
    readme = (tmp_path / "c" / "README.md").read_text()
    assert "cortex-m3, GCC" in readme
    assert "cortex-m0, GCC" not in readme


def test_a_package_without_the_tools(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run_tool("export_firmware.py", tiny_model, "--engine", "c", "--out", tmp_path / "c")
    assert "no cycles and no flash by part: no arm-none-eabi-gcc" in done.stderr
    assert "instructions a second" not in (tmp_path / "c" / "README.md").read_text()


def test_whether_it_fits_by_hand():
    """10 million instructions of 1.4 cycles are 21.9 % of 64 MHz; 300 KB of RAM are too much."""
    found = Profile(
        cpu="cortex-m4",
        flash={"model": 512 * KB, "features": 512 * KB},
        ram_bytes=299 * KB,
        stack_bytes=KB,
        instructions={"whole": 10e6},
        per_mac=2.0,
        detections=(),
    )
    nordic, rp2040 = fit(found, PARTS[0]), fit(found, PARTS[3])
    assert nordic.time_share == pytest.approx(10e6 * CYCLES_PER_INSTRUCTION / 64e6)
    assert (nordic.flash_share, nordic.ram_share) == (1.0, 300 / 256)
    assert not nordic.fits
    assert rp2040.time_share is None
    assert fit(replace(found, cpu="cortex-m0"), PARTS[3]).time_share == pytest.approx(14e6 / 133e6)
    assert fit(found, PARTS[2]).fits


@pytest.mark.usefixtures("arm")
def test_one_part_from_the_terminal(tiny_model):
    shown = run_tool("profile_device.py", tiny_model, "--part", "rp2040").stdout
    assert "cortex-m0" in shown
    assert "RP2040" in shown
    assert "nRF52840" not in shown


def test_a_part_that_is_too_small():
    found = Profile(
        cpu="cortex-m4",
        flash={"model": 600 * KB},
        ram_bytes=192 * KB,
        stack_bytes=0,
        instructions={"whole": 1e6},
        per_mac=2.0,
        detections=(),
    )
    with pytest.raises(
        ModelError, match="a STM32F411: it takes 117 % of its flash and 150 % of its"
    ):
        require(found, PARTS[1], "x")
    require(found, PARTS[0], "x")


def test_the_tool_knows_each_part():
    shown = run_tool("profile_device.py", "--help").stdout
    for part in PARTS:
        assert part.name.lower() in shown


def test_missing_tools_are_named(tiny_model, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert emulated.PARTS in missing_tools()
    message = refused("profile_device.py", tiny_model)
    assert "no arm-none-eabi-gcc and qemu-system-arm here: apt-get install" in message


@pytest.mark.usefixtures("arm")
def test_audio_of_another_length_and_bad_models(tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"x" * 100)
    assert "error:" in refused("profile_device.py", tmp_path / "bad.tflite")
    message = refused("profile_device.py", SMALL, "--wav", tmp_path / "gone.wav")
    assert "gone.wav" in message
