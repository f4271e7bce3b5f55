"""Memory that is kept for the next arrays, in a process of its own."""

import subprocess
import sys

import pytest

from mrsjax.core import memory

PROGRAM = """
import resource
import numpy as np
from mrsjax.core import memory

def work():
    for _ in range(20):
        arrays = [np.ones(2**19) for _ in range(6)]  # 4 MB each
        del arrays

KEEP
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(line: str) -> int:
    """Pages that the system had to find for arrays which had been made before."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.replace("KEEP", line)], capture_output=True, check=True, text=True)  # fmt: skip
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_arrays_are_made_of_memory_that_is_there():
    kept = faults("assert memory.keep()")
    assert kept < 500 and faults("") > 10 * max(kept, 100)


def test_elsewhere_nothing_is_done(monkeypatch):
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep() is False
