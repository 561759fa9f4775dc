"""Many takes at once: voices speak in several processes."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import joblib

from kws.progress import progress

Job = TypeVar("Job")
Said = TypeVar("Said")
_BATCH = 20
_WORTH_A_PROCESS = 100
"""Takes; starting a process costs a second."""


def write_all(
    write: Callable[[Job], None], jobs: Sequence[Job], unit: str, most: int | None = None
) -> None:
    """Call ``write`` for each job, in any order, under one bar.

    Parameters
    ----------
    write : speaks a job and writes its file; it goes to other processes, so it must pickle.
    unit : what the bar counts, such as ``clips``.
    most : processes at the most, where not all processors are to be used.
    """
    parallel = joblib.Parallel(_processes(len(jobs), most), return_as="generator_unordered")
    batches = (jobs[start : start + _BATCH] for start in range(0, len(jobs), _BATCH))
    with progress("speaking", len(jobs), unit) as advance:
        for done in parallel(joblib.delayed(_each)(write, batch) for batch in batches):
            advance(done)


def in_order(
    say: Callable[[Job], Said], jobs: Sequence[Job], most: int | None = None
) -> Iterator[Said]:
    """Give what ``say`` makes of each job, in their order; arguments as of :func:`write_all`."""
    parallel = joblib.Parallel(_processes(len(jobs), most), return_as="generator")
    said: Iterator[Said] = parallel(joblib.delayed(say)(job) for job in jobs)
    return said


def _processes(jobs: int, most: int | None) -> int:
    return max(1, min(most or joblib.cpu_count(), jobs // _WORTH_A_PROCESS))


def _each(write: Callable[[Job], None], batch: Sequence[Job]) -> int:
    for job in batch:
        write(job)
    return len(batch)
