"""A process that keeps what it frees takes it from the system only once."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource
from videojob_runner.system.malloc import disable_heap_trimming
if {kept}:
    assert disable_heap_trimming()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * (64 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_a_large_block_that_was_freed_is_there_without_the_system_s_help() -> None:
    def second_time(*, kept: bool) -> int:
        command = [sys.executable, "-c", FAULTS.format(kept=kept)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert second_time(kept=True) < 100 < 1000 < second_time(kept=False)
