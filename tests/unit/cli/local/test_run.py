"""A run on this machine whose store is away."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from videojob_api.contract.launch import RunMode
from videojob_api.messages.report import ProgressState, Report
from videojob_cli.errors import CommandFailed
from videojob_cli.local.plan import LocalPaths, build_local_plan
from videojob_cli.local.run import run_locally

from tests.unit.cli.manifests import videojob

NOBODY = {"s3": {"bucket": "art", "endpoint": "http://127.0.0.1:9", "credentials": {"secretName": "art-s3"}}}


def test_why_fetch_waits_is_shown_and_then_the_command_ends_with_70(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    job, shown = videojob(output=NOBODY), list[Report]()
    plan = build_local_plan(job, LocalPaths(io=tmp_path), now=datetime(2026, 5, 1, tzinfo=UTC))
    with pytest.raises(CommandFailed, match="tried for 1 second: s3://art/") as failed:
        run_locally(plan.model_copy(update={"fetch_seconds": 1}), job.spec, mode=RunMode.TEST, show=shown.append)
    assert failed.value.exit_code == 70
    assert shown[0].state is ProgressState.STARTING
    assert shown[0].message.startswith("fetch waits, until ")
