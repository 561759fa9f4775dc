"""Memory that a training step frees is kept for the next step."""

import ctypes
import platform

_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8
"""Parameters of ``mallopt`` (malloc.h)."""


def keep_memory() -> None:
    """Have the C library keep what is freed, rather than give it back to the system.

    What XLA compiled asks for some hundred megabytes at each step and frees them after it. The
    GNU C library maps such blocks anew each time, so that the kernel clears them page by page: a
    quarter of a step's time. To be called before threads have memory pools of their own. Elsewhere
    nothing is done.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    tune = ctypes.CDLL(None).mallopt
    tune(_MMAP_MAX, 0)
    tune(_TRIM_THRESHOLD, 2**31 - 1)
    tune(_ARENA_MAX, 1)
