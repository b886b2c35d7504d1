"""How many threads a run gets."""

from pathlib import Path

import pytest
from videojob_runner.system.cpu import cpu_limit, thread_count


@pytest.mark.parametrize(
    ("content", "cores"), [("100000 100000", 1.0), ("250000 100000", 2.5), ("max 100000", None), ("garbage", None)]
)
def test_the_containers_limit_is_read_from_its_cgroup(tmp_path: Path, content: str, cores: float | None) -> None:
    (tmp_path / "cpu.max").write_text(content)
    assert cpu_limit(tmp_path / "cpu.max", tmp_path / "nothing") == cores


@pytest.mark.parametrize(("quota", "cores"), [("150000", 1.5), ("-1", None)])
def test_an_older_cgroup_is_understood_too(tmp_path: Path, quota: str, cores: float | None) -> None:
    (tmp_path / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n")
    assert cpu_limit(tmp_path / "nothing", tmp_path / "cpu.cfs_quota_us") == cores


def test_the_environment_pins_the_threads() -> None:
    assert thread_count({"OMP_NUM_THREADS": "3"}) == 3
    assert thread_count({}) == thread_count({"OMP_NUM_THREADS": "many"}) >= 1
