"""A spotter at work, moment by moment: what a screen, a page or another program can show."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kws.spotting.decoder import Detection
from kws.spotting.spotter import Spotter

_SHARE_S = 2.0
"""Audio over which the share of a core is averaged"""


@dataclass(frozen=True)
class Moment:
    """What a block of audio brought."""

    time_s: float
    """Audio heard so far"""
    block: np.ndarray
    """float32 (samples,), the audio"""
    frames: np.ndarray
    """float32 (frames, size), the features that it completed; there may be none"""
    scores: np.ndarray
    """(labels,), average posteriors, which the decoder compares with its thresholds"""
    detections: tuple[Detection, ...]
    core_share: float
    """Time that spotting takes of one core, as a share of the audio's; of late"""


def watch(spotter: Spotter, blocks: Iterable[np.ndarray]) -> Iterator[Moment]:
    """Push blocks into a spotter and give a moment for each."""
    rate = spotter.runner.metadata.features.sample_rate_hz
    samples, busy_s, heard_s = 0, 0.0, 0.0
    for block in blocks:
        before = time.thread_time()
        detections = spotter.push(block)
        busy_s += time.thread_time() - before
        heard_s += len(block) / rate
        if heard_s > _SHARE_S:  # what is long ago counts ever less
            busy_s, heard_s = busy_s / 2, heard_s / 2
        samples += len(block)
        yield Moment(
            time_s=samples / rate,
            block=block,
            frames=spotter.frames,
            scores=spotter.scores,
            detections=tuple(detections),
            core_share=busy_s / heard_s if heard_s else 0.0,
        )
