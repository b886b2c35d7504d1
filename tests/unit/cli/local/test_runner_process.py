"""What the runner finds when it is started here instead of in a pod."""

from __future__ import annotations

from videojob_api.messages.report import ProgressState, Report
from videojob_cli.display import format_report
from videojob_cli.local.run import command_exit_code

from tests.support.clock import NOON


def report(state: ProgressState, **more: object) -> Report:
    return Report.model_validate({"uid": "u", "sequence": 0, "state": state, "observed_time": NOON} | more)


def test_only_a_published_video_is_a_success() -> None:
    assert command_exit_code(report(ProgressState.DONE), runner=0) == 0
    assert command_exit_code(report(ProgressState.FAILED), runner=64) == 64
    assert command_exit_code(report(ProgressState.FAILED), runner=0) == 1
    assert command_exit_code(report(ProgressState.FINISHING), runner=74) == 74
    assert command_exit_code(report(ProgressState.RUNNING), runner=0) == 1


def test_one_line_tells_what_a_report_says() -> None:
    full = report(ProgressState.RUNNING, frames_done=3, frames_total=9, eta_seconds=5, message="loss 0.3")
    assert format_report(full) == "running  3/9 frames  5 s left  loss 0.3"
    assert format_report(report(ProgressState.STARTING)) == "starting"
