"""What one speaker says, as clips: words alone, words in running speech, pieces, sentences."""

import re
from dataclasses import replace

import numpy as np
import soxr

from kws.audio.noise import coloured_noise, loud_power
from kws.data.cast import Speaker
from kws.data.effects import band_limit, reverberate
from kws.data.espeak import FASTEST_WPM, Espeak, WordTime
from kws.errors import RecipeError

EDGE_S = 0.02
"""A word keeps at least this far from both ends of its clip."""
AFTER_S = (0.1, 0.32)
"""From a word's end to its clip's end, where there is room: a stream is asked soon after a word."""


class Booth:
    """One speaker before the microphone; clips have ``samples`` samples at ``sample_rate_hz``."""

    def __init__(
        self,
        engine: Espeak,
        speaker: Speaker,
        sample_rate_hz: int,
        samples: int,
        rng: np.random.Generator,
    ):
        self.engine, self.speaker, self.rng = engine, speaker, rng
        self.sample_rate_hz, self.samples = sample_rate_hz, samples

    def say(self, text: str, hurry: float = 1.0) -> tuple[np.ndarray, list[WordTime]]:
        """Say ``text`` a little differently each time; float32 audio, and where its words are."""
        who, rng = self.speaker, self.rng
        speech = self.engine.speak(
            text,
            who.accent,
            who.variant,
            rate_wpm=min(who.rate_wpm * rng.uniform(0.88, 1.12) * hurry, FASTEST_WPM),
            pitch=np.clip(who.pitch + rng.uniform(-8, 8), 0, 99),
            pitch_range=np.clip(who.pitch_range + rng.uniform(-15, 15), 0, 99),
        )
        # Played faster by the speaker's size: formants and pitch rise together.
        ratio = self.sample_rate_hz / (speech.sample_rate_hz * who.size)
        audio = soxr.resample(speech.audio, speech.sample_rate_hz * who.size, self.sample_rate_hz)
        words = [
            replace(word, start=round(word.start * ratio), end=round(word.end * ratio))
            for word in speech.words
        ]
        return audio, words

    def alone(self, text: str) -> np.ndarray:
        """A clip of ``text`` said alone, towards the clip's end."""
        word = self._isolated(text)
        return self.finish(_window(word, self._start(0, len(word)), self.samples))

    def carried(self, text: str, sentences: list[str]) -> np.ndarray:
        """A clip of ``text`` said between words of a sentence, towards the clip's end."""
        audio, start, end = self._in_speech(text, sentences)
        if end - start > self.samples - 2 * round(EDGE_S * self.sample_rate_hz):
            return self.alone(text)
        return self.finish(_window(audio, self._start(start, end), self.samples))

    def piece(self, text: str, sentences: list[str]) -> np.ndarray:
        """A clip with the first or the last third to half of ``text``, which is not the word.

        Said alone, or in running speech where the clip's end or beginning cuts it.
        """
        part, first = self.rng.uniform(0.3, 0.48), self.rng.random() < 0.5
        if self.rng.random() < 0.5:
            audio, start, end = self._in_speech(text, sentences)
            at = start + round((part if first else 1 - part) * (end - start))
            return self.finish(_window(audio, at - self.samples if first else at, self.samples))
        word = self._isolated(text)
        length = round(len(word) * part)
        fade = np.minimum(1, np.arange(length) / (0.01 * self.sample_rate_hz))
        piece = word[:length] * fade[::-1] if first else word[-length:] * fade
        return self.finish(_window(piece, self._start(0, length), self.samples))

    def sentence(self, text: str) -> list[np.ndarray]:
        """A sentence, cut into clips wherever the cuts fall; nearly silent ones are left out."""
        audio, _ = self.say(text)
        first = -int(self.rng.integers(self.samples // 2))
        loud = np.sqrt(loud_power(audio, self.sample_rate_hz))
        clips = [_window(audio, at, self.samples) for at in range(first, len(audio), self.samples)]
        return [self.finish(clip) for clip in clips if np.mean(np.abs(clip) > loud / 10) > 0.2]

    def finish(self, clip: np.ndarray) -> np.ndarray:
        """Give a clip its room, its line, its level and a faint noise floor."""
        rng = self.rng
        if rng.random() < 0.25:
            clip = reverberate(clip, rng, self.sample_rate_hz)
        if rng.random() < 0.2:
            clip = band_limit(clip, rng, self.sample_rate_hz)
        loud = max(np.sqrt(loud_power(clip, self.sample_rate_hz)), 1e-6)
        peak = max(np.abs(clip).max(), 1e-6)
        level = min(10 ** (rng.uniform(-34, -12) / 20) / loud, 0.95 / peak)
        floor = coloured_noise(self.samples, 1.0, rng, self.sample_rate_hz)
        return clip * np.float32(level) + floor * np.float32(10 ** (rng.uniform(-60, -35) / 20))

    def _in_speech(self, text: str, sentences: list[str]) -> tuple[np.ndarray, int, int]:
        """``text`` between up to three and up to two words of a sentence; its start and end."""
        words = re.sub(r"[^\w' -]", "", str(self.rng.choice(sentences))).split()
        at = int(self.rng.integers(len(words) + 1))
        before = "".join(f"{word} " for word in words[max(0, at - 3) : at])
        after = "".join(f" {word}" for word in words[at : at + self.rng.integers(3)])
        audio, spoken = self.say(f"{before}{text}{after}.")
        inside = [w for w in spoken if len(before) <= w.position < len(before) + len(text)]
        if inside and inside[0].position == len(before):
            return audio, inside[0].start, inside[-1].end
        word = self._isolated(text)  # espeak-ng ran it together with the word before
        return word, 0, len(word)

    def _isolated(self, text: str) -> np.ndarray:
        """``text`` said alone, without silence around it, fast enough for a clip."""
        longest = self.samples - 2 * round(EDGE_S * self.sample_rate_hz)
        for hurry in (1.0, 1.25, 1.6, 2.0, 2.5):
            audio, words = self.say(f"{text}{self.rng.choice(['', '.', '!', '?', ','])}", hurry)
            word = audio[words[0].start : words[-1].end]
            if len(word) <= longest:
                return word
        raise RecipeError(
            f"{text!r} takes {len(word) / self.sample_rate_hz:.2f} s even when spoken fast, which "
            "is more than data.clip_ms holds; lengthen data.clip_ms or choose a shorter word"
        )

    def _start(self, start: int, end: int) -> int:
        """Where a clip begins that has ``start`` to ``end`` whole, and soon ends after it."""
        edge = round(EDGE_S * self.sample_rate_hz)
        room = self.samples - edge - (end - start)
        wanted = round(self.rng.uniform(*AFTER_S) * self.sample_rate_hz)
        return end + max(edge, min(wanted, room)) - self.samples


def _window(audio: np.ndarray, start: int, samples: int) -> np.ndarray:
    """``samples`` samples from ``start`` on, zeros where there is no audio."""
    clip = np.zeros(samples, np.float32)
    low, high = max(start, 0), min(start + samples, len(audio))
    clip[low - start : high - start] = audio[low:high]
    return clip
