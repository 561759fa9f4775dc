"""Packages for platforms: their structure, and their examples compiled with stub headers."""

import re
import subprocess
import zipfile

import pytest
import yaml
from c_package import WARNINGS, compiler
from conftest import refused
from test_tflm_package import write_stand_in

from kws.errors import StorageError
from kws.firmware.export import export

ARDUINO = {
    "Arduino.h": """
#include <stdint.h>
struct Print { void begin(long) {} void println(const char *) {} };
static Print Serial;
inline void delay(unsigned long) {}
void setup();
void loop();
""",
    "PDM.h": """
#include "Arduino.h"
struct PDMClass {
  int begin(int, long) { return 1; }
  void onReceive(void (*)(void)) {}
  int read(void *, unsigned bytes) { return static_cast<int>(bytes); }
};
static PDMClass PDM;
""",
}
ESP_IDF = {
    "driver/i2s_std.h": """
#include <stddef.h>
#include <stdint.h>
typedef int esp_err_t;
#define ESP_OK 0
#define ESP_ERROR_CHECK(call) do { if ((call) != ESP_OK) return; } while (0)
typedef void *i2s_chan_handle_t;
typedef struct { int id, role; } i2s_chan_config_t;
#define I2S_NUM_AUTO (-1)
#define I2S_ROLE_MASTER 0
#define I2S_CHANNEL_DEFAULT_CONFIG(number, kind) {.id = (number), .role = (kind)}
typedef struct { uint32_t sample_rate_hz; } i2s_std_clk_config_t;
#define I2S_STD_CLK_DEFAULT_CONFIG(rate) {.sample_rate_hz = (rate)}
#define I2S_DATA_BIT_WIDTH_32BIT 32
#define I2S_SLOT_MODE_MONO 1
typedef struct { int bits, mode; } i2s_std_slot_config_t;
#define I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(width, slots) {.bits = (width), .mode = (slots)}
#define I2S_GPIO_UNUSED (-1)
typedef struct { int mclk, bclk, ws, dout, din; } i2s_std_gpio_config_t;
typedef struct {
  i2s_std_clk_config_t clk_cfg;
  i2s_std_slot_config_t slot_cfg;
  i2s_std_gpio_config_t gpio_cfg;
} i2s_std_config_t;
esp_err_t i2s_new_channel(const i2s_chan_config_t *, i2s_chan_handle_t *, i2s_chan_handle_t *);
esp_err_t i2s_channel_init_std_mode(i2s_chan_handle_t, const i2s_std_config_t *);
esp_err_t i2s_channel_enable(i2s_chan_handle_t);
esp_err_t i2s_channel_read(i2s_chan_handle_t, void *, size_t, size_t *, uint32_t);
""",
    "freertos/FreeRTOS.h": "#define portMAX_DELAY 0xFFFFFFFFu\n",
    "freertos/task.h": "\n",
}


def stubs(folder, headers):
    for name, text in headers.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#pragma once\n{text}")
    return folder


def sources_of(folder) -> list:
    return sorted((folder / "src").glob("*.c*"))


def compiles(*command) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["arduino", "esp-idf", "zephyr"])
def target(request):
    return request.param


@pytest.fixture(params=["c", "tflm"])
def engine(request):
    return request.param


def test_the_package_compiles_where_it_lies(target, engine, tiny_model, tmp_path):
    """Sources for each platform are in src; nothing is missing, nothing is there twice."""
    export(tiny_model, tmp_path / "out", engine, "float", target)
    write_stand_in(tiny_model, tmp_path)
    names = {path.name for path in sources_of(tmp_path / "out")}
    both = {"kws.c", "kws_decoder.c", "kws_features.c", "kws_self_test.c"}
    assert names == both | ({"kws_nn.c"} if engine == "c" else {"kws_nn.cpp", "kws_model.c"})
    for source in sources_of(tmp_path / "out"):
        flags = [*WARNINGS, "-DKWS_SELF_TEST", "-fsyntax-only", f"-I{tmp_path}"]
        c = source.suffix == ".c"
        compiles(compiler("gcc" if c else "g++"), "-std=c99" if c else "-std=c++11", *flags, source)
    again = export(tiny_model, tmp_path / "out", engine, "float", target)
    assert all(path.is_file() for path in again)


def test_arduino(engine, tiny_model, tmp_path):
    out, package = tmp_path / "out", (engine, "fixed", "arduino")
    export(tiny_model, out, *package)
    sketch = out / "examples" / "KeywordSpotting" / "KeywordSpotting.ino"
    headers = stubs(tmp_path / "stubs", ARDUINO)
    flags = ["-std=c++14", "-Wall", "-Wextra", "-Werror", f"-I{headers}", f"-I{out / 'src'}"]
    compiles(compiler("g++"), *flags, "-include", "Arduino.h", "-x", "c++", "-fsyntax-only", sketch)
    lines = (out / "library.properties").read_text().splitlines()
    facts = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    wanted = {"name", "version", "author", "maintainer", "sentence", "category", "architectures"}
    assert wanted <= facts.keys()
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,62}", facts["name"])
    assert facts.get("depends") == (None if engine == "c" else "Arduino_TensorFlowLite")
    with zipfile.ZipFile(out / "Kws_tiny.zip") as archive:
        inside = {name: archive.read(name) for name in archive.namelist()}
    assert inside == {
        f"Kws_tiny/{path.relative_to(out).as_posix()}": path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.suffix != ".zip"
    }


def test_esp_idf(engine, tiny_model, tmp_path):
    out = tmp_path / "out"
    export(tiny_model, out, engine, "float", "esp-idf")
    headers = stubs(tmp_path / "stubs", ESP_IDF)
    flags = ["-std=gnu11", *WARNINGS, f"-I{headers}", f"-I{out / 'src'}", "-fsyntax-only"]
    compiles(compiler("gcc"), *flags, out / "example" / "main.c")
    cmake = (out / "CMakeLists.txt").read_text()
    listed = set(re.findall(r'"(src/\w+\.c(?:pp)?)"', cmake))
    assert listed == {f"src/{path.name}" for path in sources_of(out)}
    needed = yaml.safe_load((out / "idf_component.yml").read_text())["dependencies"]
    assert needed["idf"] == ">=5.0"
    library = "esp-tflite-micro"
    assert (f"espressif/{library}" in needed, f"REQUIRES {library}" in cmake) == (
        (engine == "tflm",) * 2
    )


def test_zephyr(engine, tiny_model, tmp_path):
    out = tmp_path / "out"
    export(tiny_model, out, engine, "float", "zephyr")
    module = yaml.safe_load((out / "zephyr" / "module.yml").read_text())
    assert (out / module["build"]["cmake"] / "CMakeLists.txt").is_file()
    assert (out / module["build"]["kconfig"]).is_file()
    cmake = (out / "zephyr" / "CMakeLists.txt").read_text()
    listed = re.findall(r"\.\./(src/\w+\.c(?:pp)?)\n", cmake)
    assert {out / name for name in listed} == set(sources_of(out))
    kconfig = (out / "zephyr" / "Kconfig").read_text()
    assert re.findall(r"^config (\w+)$", kconfig, re.M) == ["KWS", "KWS_SELF_TEST"]
    assert ("TENSORFLOW_LITE_MICRO" in kconfig) == (engine == "tflm")


def test_what_does_not_go_together_is_refused(tiny_model, tmp_path):
    to = ("export_firmware.py", tiny_model, "--out", tmp_path / "out")
    assert "micro_wake_word computes features of its own" in refused(*to, "--target", "esphome")
    assert not (tmp_path / "out").exists()
    export(tiny_model, tmp_path / "mine", "c", "float", "zephyr")
    (tmp_path / "mine" / "zephyr" / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"holds something else \(zephyr/notes.txt\)"):
        export(tiny_model, tmp_path / "mine", "c", "float", "zephyr")
    export(tiny_model, tmp_path / "plain", "c")
    with pytest.raises(StorageError, match="holds something else"):
        export(tiny_model, tmp_path / "plain", "c", "float", "arduino")
