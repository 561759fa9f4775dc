"""A recording session as a machine of states: sound and decisions go in, takes come out.

It knows neither keyboard nor screen nor microphone, and its time is that of the sound.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

import numpy as np

from kws.audio.take import Problem, Take, judge

COUNTDOWN_S = 1.5
"""Also long enough for the click of the key that began it to be over."""
AROUND_S = 1.5
"""How much longer a recording is than the clip that is cut out of it."""
AUTOMATIC_RETRIES = 3
"""How often a take that fails its checks is said again where nobody decides."""


class State(Enum):
    """What the session waits for."""

    READY = "ready"  # a sign to begin
    COUNTDOWN = "countdown"  # its end
    RECORDING = "recording"  # the word
    REVIEW = "review"  # a decision on the take
    DONE = "done"


@dataclass(frozen=True)
class Outcome:
    """What became of a take, or of a word that was skipped before there was one."""

    word: str
    decision: str
    """``kept``, ``retried`` or ``skipped``"""
    take: Take | None
    path: Path | None = None


class Session:
    """Words to be said one after another.

    >>> session = Session(["yes", "no"], 16000, 1.0, save)
    >>> session.start()
    >>> session.push(block)                  # again and again, until ...
    >>> session.state is State.REVIEW        # ... there is a take to decide on
    >>> session.keep()                       # counts down to the next word

    Parameters
    ----------
    words : what is to be said, a word as often as takes are wanted.
    sample_rate_hz : of the sound that is pushed in.
    clip_s : length of a clip, seconds.
    save : puts a kept take away, at once, and says where; called with the word and the take.
    """

    def __init__(
        self,
        words: Sequence[str],
        sample_rate_hz: int,
        clip_s: float,
        save: Callable[[str, Take], Path],
    ):
        self.words, self.sample_rate_hz, self.clip_s = tuple(words), sample_rate_hz, clip_s
        self.state = State.READY if self.words else State.DONE
        self.index, self.retries = 0, 0
        self.take: Take | None = None
        self.outcomes: list[Outcome] = []
        self._save = save
        self._heard: list[np.ndarray] = []
        self._samples, self._lost, self._lost_before = 0, 0, 0

    @property
    def word(self) -> str:
        """The word to be said now; nothing when all is done."""
        return self.words[self.index] if self.index < len(self.words) else ""

    @property
    def left_s(self) -> float:
        """What is left of the countdown or the recording."""
        length = {State.COUNTDOWN: COUNTDOWN_S, State.RECORDING: self.clip_s + AROUND_S}
        return max(0.0, length.get(self.state, 0.0) - self._samples / self.sample_rate_hz)

    def counted(self, decision: str) -> Counter[str]:
        """How many takes of each word were ``kept``, ``retried`` or ``skipped``."""
        return Counter(outcome.word for outcome in self.outcomes if outcome.decision == decision)

    def push(self, block: np.ndarray, lost: int = 0) -> None:
        """Take the next (samples,) of sound; ``lost`` counts all blocks lost up to here."""
        self._lost = lost
        if self.state is State.COUNTDOWN:
            self._samples += len(block)
            if self.left_s == 0:
                self._enter(State.RECORDING)
                self._lost_before = lost
        elif self.state is State.RECORDING:
            self._heard.append(block)
            self._samples += len(block)
            if self.left_s == 0:
                self._review()

    def start(self) -> None:
        """Begin the countdown; a countdown or a recording that runs begins anew."""
        if self.state in (State.READY, State.COUNTDOWN, State.RECORDING):
            self._enter(State.COUNTDOWN)

    def keep(self) -> None:
        """Keep the take, whatever its checks say, and go on; one without a word stays."""
        if self.state is State.REVIEW and self.take and self.take.word:
            path = self._save(self.word, self.take)
            self._decide("kept", path)
            self._next()

    def retry(self) -> None:
        """Say the word again."""
        if self.state is State.REVIEW:
            self._decide("retried")
            self.retries += 1
            self._enter(State.COUNTDOWN)
        else:
            self.start()

    def skip(self) -> None:
        """Leave this take out and go on."""
        if self.state is not State.DONE:
            self._decide("skipped")
            self._next()

    def quit(self) -> None:
        """End here."""
        self._enter(State.DONE)

    def go_on(self) -> None:
        """What one would do most often: begin, keep a good take, say a bad one again."""
        if self.state is State.READY:
            self.start()
        elif self.state is State.REVIEW and self.take:
            self.keep() if self.take.passes else self.retry()

    def decide_alone(self) -> None:
        """:meth:`go_on` where nobody decides: a word that fails too often is skipped."""
        failed = self.state is State.REVIEW and self.take and not self.take.passes
        if failed and self.retries >= AUTOMATIC_RETRIES:
            self.skip()
        else:
            self.go_on()

    def _review(self) -> None:
        recording = np.concatenate(self._heard)
        take = judge(recording, self.sample_rate_hz, self.clip_s)
        lost = self._lost - self._lost_before
        if lost:
            sentence = f"{lost} blocks of sound were lost: end other programs that are at work"
            take = replace(take, problems=(*take.problems, Problem("sound lost", sentence)))
        self._enter(State.REVIEW)
        self.take = take

    def _decide(self, decision: str, path: Path | None = None) -> None:
        self.outcomes.append(Outcome(self.word, decision, self.take, path))

    def _next(self) -> None:
        self.index, self.retries = self.index + 1, 0
        self._enter(State.COUNTDOWN if self.word else State.DONE)

    def _enter(self, state: State) -> None:
        self.state, self.take = state, None
        self._heard, self._samples = [], 0
