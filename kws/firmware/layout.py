"""Which files a firmware package has, for each engine and each platform."""

from typing import Literal

EngineName = Literal["tflm", "c"]
Arithmetic = Literal["float", "fixed"]
Target = Literal["generic", "arduino", "esp-idf", "zephyr"]

_BOTH = (
    *("kws.h", "kws.c", "kws_features.h", "kws_features.c", "kws_decoder.h", "kws_decoder.c"),
    *("kws_self_test.h", "kws_self_test.c"),
)
_OWN: dict[EngineName, dict[str, str]] = {
    "tflm": {
        "kws_model.h": "kws_model.h.j2",
        "kws_model.c": "kws_model.c.j2",
        "kws_nn.h": "kws_nn_tflm.h.j2",
        "kws_nn.cpp": "kws_nn_tflm.cpp.j2",
        "README.md": "README.md.j2",
    },
    "c": {
        "kws_nn.h": "kws_nn.h.j2",
        "kws_nn.c": "kws_nn.c.j2",
        **{
            f"kws_{name}.h": f"kws_{name}.h.j2"
            for name in ("arithmetic", "dense", "helium", "convolve", "elements")
        },
        "README.md": "README_c.md.j2",
    },
}
_FOR: dict[Target, dict[str, str]] = {
    "generic": {},
    "arduino": {
        "library.properties": "arduino/library.properties.j2",
        "examples/KeywordSpotting/KeywordSpotting.ino": "arduino/KeywordSpotting.ino.j2",
    },
    "esp-idf": {
        "CMakeLists.txt": "esp-idf/CMakeLists.txt.j2",
        "idf_component.yml": "esp-idf/idf_component.yml.j2",
        "example/main.c": "esp-idf/main.c.j2",
    },
    "zephyr": {
        "zephyr/module.yml": "zephyr/module.yml.j2",
        "zephyr/CMakeLists.txt": "zephyr/CMakeLists.txt.j2",
        "zephyr/Kconfig": "zephyr/Kconfig.j2",
    },
}


def templates_of(
    engine: EngineName, arithmetic: Arithmetic = "float", target: Target = "generic"
) -> dict[str, str]:
    """The package's files, and the template of each.

    C sources lie beside each other, or in ``src`` where the platform wants them there.
    """
    made = {**_OWN[engine], **{name: f"{name}.j2" for name in _BOTH}}
    readme = made.pop("README.md")
    if arithmetic == "fixed":
        made["kws_features.c"] = "kws_features_fixed.c.j2"
    if engine == "c" and target == "generic":
        made["example/wav.c"] = "wav.c.j2"
    folder = "" if target == "generic" else "src/"
    placed = {f"{folder}{name}": template for name, template in made.items()}
    return {**placed, **_FOR[target], "README.md": readme}
