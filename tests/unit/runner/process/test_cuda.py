"""Which device a run gets, and how many threads."""

from pathlib import Path

import pytest
import torch
from videojob_runner.errors import NoDevice
from videojob_runner.process.cuda import choose_device, driver_version


@pytest.fixture(autouse=True)
def threads_as_before() -> "object":
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def none_visible() -> str:
    return "no usable CUDA device is visible"


def test_without_a_device_the_cpu_does_the_work_where_that_is_allowed() -> None:
    device = choose_device({"OMP_NUM_THREADS": "1"}, cuda=none_visible)
    assert device.name == "cpu"
    rounding = {"torch": torch.__version__, "threads": "1", "cpuCapability": torch.backends.cpu.get_cpu_capability()}
    assert device.versions == {**rounding, "device": "cpu"}
    assert torch.get_num_threads() == 1


def test_a_required_accelerator_is_never_replaced_by_the_cpu_and_both_versions_are_told() -> None:
    with pytest.raises(NoDevice, match="no usable CUDA device") as caught:
        choose_device({"VIDEOJOB_ACCELERATOR": "Required"}, cuda=none_visible)
    assert caught.value.exit_code == 65
    assert caught.value.reason == "NoDevice"
    assert f"CUDA {torch.version.cuda}" in str(caught.value)
    assert f"driver {driver_version()}" in str(caught.value)


def test_the_drivers_version_is_read_from_the_kernel(tmp_path: Path) -> None:
    (tmp_path / "v").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Thu Jan 2\nGCC version: 12\n"
    )
    assert driver_version(tmp_path / "v") == "570.86.15"
    (tmp_path / "v").write_text("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65  Release\n")
    assert driver_version(tmp_path / "v") == "580.65"
    assert driver_version(tmp_path / "nothing") == "not loaded"
