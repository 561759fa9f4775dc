"""Tables for features in C, from the definitions that training uses."""

import numpy as np

from kws.audio.features import mel_filters, transform_tables
from kws.errors import ModelError
from kws.firmware.literals import c_array, c_floats
from kws.recipe import FeatureConfig

FULL_SCALE = 32768.0
"""Of int16 samples"""


def feature_tables(config: FeatureConfig, where: str) -> dict[str, str | int | None]:
    """C arrays by name: window, mel filters, cosine transform (None without) and FFT factors.

    Raises
    ------
    ModelError
        When the FFT's length is no power of two.
    """
    size = config.fft_size
    if size & (size - 1):
        raise ModelError(
            f"{where}: features.fft_size {size} is no power of two, which the C features need; "
            f"train with {1 << size.bit_length()}"
        )
    hann, _, dct = transform_tables(config)
    firsts, weights = sparse(mel_filters(config))
    counts = [len(row) for row in weights]
    angle = 2 * np.pi * np.arange(size // 2) / size
    return {
        "window": c_floats("kws_window", hann / FULL_SCALE),
        "mel_first": c_array("int16_t", "kws_mel_first", map(str, firsts)),
        "mel_count": c_array("int16_t", "kws_mel_count", map(str, counts)),
        "mel_weights": c_floats("kws_mel_weights", np.concatenate(weights)),
        "dct": None if dct is None else c_floats("kws_dct", dct.T),
        "cosines": c_floats("kws_cosines", np.cos(angle)),
        "sines": c_floats("kws_sines", np.sin(angle)),
    }


def fixed_tables(config: FeatureConfig, step: float, where: str) -> dict[str, str | int | None]:
    """The same for whole numbers, and the constants that go with them.

    Parameters
    ----------
    step : dB of a step of the model's input.
    """
    floats = feature_tables(config, where)
    size = config.fft_size
    hann, _, dct = transform_tables(config)
    _, weights = sparse(mel_filters(config))
    joined = np.concatenate(weights)
    weight_bits = int(np.floor(np.log2(65535 / joined.max())))
    angle = 2 * np.pi * np.arange(size // 2) / size
    logarithms = np.log2(1 + np.arange(65) / 64) * 65536
    # Halved at every stage of the transform and once more; squared, and 16 bits dropped.
    halvings = int(np.log2(size // 2)) + 1
    return {
        "window": _whole("int16_t", "kws_window", hann * 32767),
        "mel_first": floats["mel_first"],
        "mel_count": floats["mel_count"],
        "mel_weights": _whole("uint16_t", "kws_mel_weights", joined * 2.0**weight_bits),
        "dct": None if dct is None else _whole("int16_t", "kws_dct", dct.T * 32767),
        "cosines": _whole("int32_t", "kws_cosines", np.cos(angle) * (2**31 - 1)),
        "sines": _whole("int32_t", "kws_sines", np.sin(angle) * (2**31 - 1)),
        "logarithms": _whole("int32_t", "kws_logarithms", logarithms),
        "weight_bits": weight_bits,
        "power_bits": 2 * 30 - 2 * halvings - 16 + weight_bits,
        "floor": round(10 * np.log10(config.log_floor) * 65536),
        "steps_per_db": round(2**20 / step),
    }


def _whole(kind: str, name: str, values: np.ndarray) -> str:
    return c_array(kind, name, map(str, np.rint(values.reshape(-1)).astype(np.int64).tolist()))


def sparse(filters: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Of each filter (bands, bins), where it begins, and its weights from there on.

    A filter that is narrower than a bin may have none: it begins at 0.
    """
    firsts, weights = [], []
    for row in filters:
        bins = np.flatnonzero(row)
        first, last = (int(bins[0]), int(bins[-1]) + 1) if len(bins) else (0, 0)
        firsts.append(first)
        weights.append(row[first:last])
    return firsts, weights
