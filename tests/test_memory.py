"""Memory that is freed is there for the next step, without the kernel's help."""

import platform
import subprocess
import sys

import pytest
from conftest import ROOT

FAULTS = """
import resource, threading
import numpy as np
from kws.nn.memory import keep_memory

if {keep}:
    keep_memory()

def fill():
    np.full(16_000_000, 1.0, np.float32).sum()

def in_a_thread():
    thread = threading.Thread(target=fill)
    thread.start()
    thread.join()

fill(), in_a_thread()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    fill(), in_a_thread()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(keep: bool) -> int:
    """Of ten blocks of 64 MB, half of them in threads, after each was had once before."""
    code = FAULTS.format(keep=keep)
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return int(found.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
def test_blocks_are_had_again_without_page_faults():
    assert page_faults(keep=False) > 1000
    assert page_faults(keep=True) < 100
