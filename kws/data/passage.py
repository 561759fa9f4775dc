"""A spoken test passage by voices that no corpus uses, and when each of its words is said."""

import numpy as np

from kws.audio.annotation import SpokenWord
from kws.audio.noise import at_level, coloured_noise, hum, loud_power
from kws.data.cast import passage_cast
from kws.data.effects import reverberate
from kws.data.espeak import Espeak
from kws.data.takes import Booth
from kws.errors import RecipeError
from kws.recipe_data import DataConfig

SNR_DB = (15.0, 20.0)
PAUSE_S = (0.6, 1.3)
LEVEL_DB = (-26.0, -20.0)
"""Root mean square of each sentence's loud part, dB of full scale."""


def make_passage(
    data: DataConfig, sample_rate_hz: int, seed: int
) -> tuple[np.ndarray, list[SpokenWord]]:
    """Speak ``data.synthetic.passage``, each text by the next voice, with pauses, over noise.

    Returns
    -------
    float32 (samples,) at ``sample_rate_hz``, the noise 15 to 20 dB below the speech; and the
    words in the order in which they are said, keywords spelled as in ``data.keywords``.

    Raises
    ------
    RecipeError
        When the recipe has no ``data.synthetic``.
    DataError
        When espeak-ng is missing, or cannot say a text.
    """
    if data.synthetic is None:
        raise RecipeError(
            "the recipe has no data.synthetic section, so there is no passage to speak"
        )
    rng = np.random.default_rng([seed, 0, 2])
    cast = passage_cast(seed)
    pieces = [_pause(rng, sample_rate_hz)]
    labels = {keyword.lower(): keyword for keyword in data.keywords}
    words: list[SpokenWord] = []
    for index, text in enumerate(data.synthetic.passage):
        with Espeak() as engine:
            booth = Booth(engine, cast[index % len(cast)], sample_rate_hz, 0, rng)
            audio, spoken = booth.say(text)
        before_s = sum(map(len, pieces)) / sample_rate_hz
        words += [
            SpokenWord(
                labels.get(word.text.lower(), word.text),
                round(before_s + word.start / sample_rate_hz, 3),
                round(before_s + word.end / sample_rate_hz, 3),
            )
            for word in spoken
        ]
        speech = at_level(audio, rng.uniform(*LEVEL_DB), sample_rate_hz)
        pieces += [speech, _pause(rng, sample_rate_hz)]
    speech = reverberate(np.concatenate(pieces), rng, sample_rate_hz)
    return _over_noise(speech, rng, sample_rate_hz), words


def _pause(rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    return np.zeros(round(rng.uniform(*PAUSE_S) * sample_rate_hz), np.float32)


def _over_noise(speech: np.ndarray, rng: np.random.Generator, sample_rate_hz: int) -> np.ndarray:
    samples = len(speech)
    noise = coloured_noise(samples, 1.2, rng, sample_rate_hz) + 0.3 * hum(
        samples, rng, sample_rate_hz
    )
    ratio = 10 ** (-rng.uniform(*SNR_DB) / 20)
    scale = np.sqrt(loud_power(speech, sample_rate_hz) / np.mean(np.square(noise))) * ratio
    return np.clip(speech + noise * np.float32(scale), -1, 1).astype(np.float32)
