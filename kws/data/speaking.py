"""Many takes at once: what voices say is written in several processes, under one bar."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import joblib

from kws.progress import progress

Job = TypeVar("Job")
_BATCH = 20
_WORTH_A_PROCESS = 100
"""Takes; starting a process costs a second."""


def write_all(
    write: Callable[[Job], None], jobs: Sequence[Job], unit: str, most: int | None = None
) -> None:
    """Call ``write`` for each job, in any order.

    Parameters
    ----------
    write : speaks a job and writes its file; it goes to other processes, so it must pickle.
    unit : what the bar counts, such as ``clips``.
    most : processes at the most, where not all processors are to be used.
    """
    processes = min(most or joblib.cpu_count(), len(jobs) // _WORTH_A_PROCESS)
    parallel = joblib.Parallel(max(1, processes), return_as="generator_unordered")
    batches = (jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH))
    with progress("speaking", len(jobs), unit) as advance:
        for done in parallel(joblib.delayed(_each)(write, batch) for batch in batches):
            advance(done)


def _each(write: Callable[[Job], None], batch: Sequence[Job]) -> int:
    for job in batch:
        write(job)
    return len(batch)
