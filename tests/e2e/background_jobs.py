"""
Jobs that begin with the session and run while other tests wait, so that their own tests hardly do.

A test module names its jobs in a function `ahead(lab)`; its tests take them by `lab.run_of(name)`. Few run at once, as
a pod that starts takes a core for a second or two, and a rendering takes one for its whole life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from tests.e2e.environment import E2eEnvironment
from tests.e2e.kube import Manifest

JobProvider = Callable[[E2eEnvironment], list[Manifest]]

MAX_SIMULATED = 4
"""Simulated jobs at once; renderings follow each other, so that a core is left for the tests."""
LIMIT = 900.0
"""Seconds for a job, from its creation to its verdict: many share two cores."""
RUN_LAST = (
    *("test_node_level.py", "test_first_light.py", "test_foreign_image.py", "test_failures.py"),
    *("test_resume.py", "test_examples.py", "test_teardown.py"),
)
"""Files whose turn comes last, in this order: what began ahead, the longest at the end, and then the node's end."""


def file_order(file: str) -> int:
    """The place of a file's tests in the order of the session."""
    return RUN_LAST.index(file) if file in RUN_LAST else -1


def module_order(module: ModuleType) -> int:
    """The same of a module."""
    return file_order(Path(str(module.__file__)).name)


@contextmanager
def start_background_jobs(
    lab: E2eEnvironment, modules: Iterable[ModuleType], *, renderings: ThreadPoolExecutor
) -> Iterator[None]:
    """The modules' jobs are on their way; what has not begun by the end never will."""
    simulated = ThreadPoolExecutor(MAX_SIMULATED, thread_name_prefix="ahead")
    for module in modules:
        for manifest in module.ahead(lab):
            threads, name = renderings if is_rendering(manifest) else simulated, manifest["metadata"]["name"]
            if name not in lab.background_runs:
                lab.background_runs[name] = threads.submit(lab.watch, manifest, timeout=LIMIT)
    try:
        yield
    finally:
        for threads in (simulated, renderings):
            threads.shutdown(wait=False, cancel_futures=True)


def is_rendering(manifest: Manifest) -> bool:
    """Whether the job takes a core."""
    spec = manifest["spec"]
    return "vqganClip" in spec["pipeline"] and "test" not in spec
