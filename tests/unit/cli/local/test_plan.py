"""The operator's plan with this machine's places in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from videojob_api.messages.plan import JobPlan
from videojob_cli.local.plan import LocalPaths, build_local_plan, local_uid

from tests.unit.cli.manifests import videojob

NOON = datetime(2026, 5, 1, 12, 30, 5, tzinfo=UTC)
BUCKET = {"s3": {"bucket": "art", "prefix": "videos/", "credentials": {"secretName": "art-s3"}}}


def plan(tmp_path: Path, *, output: Path | None = None, **spec: Any) -> JobPlan:
    places = LocalPaths(io=tmp_path / "io", claims=tmp_path / "claims", output=output)
    return build_local_plan(videojob(**spec), places, now=NOON)


def test_a_claim_is_a_folder_with_its_name(tmp_path: Path) -> None:
    orders = plan(tmp_path)
    assert orders.output.folder == str(tmp_path / "claims/videos/waves" / orders.job.uid)
    assert orders.output.url == f"file://{tmp_path}/claims/videos/waves/{orders.job.uid}/"


def test_a_folder_may_stand_for_the_claim_and_is_laid_out_like_it(tmp_path: Path) -> None:
    pvc = {"pvc": {"claimName": "videos", "subPath": "library"}}
    per_run = plan(tmp_path, output=tmp_path / "out")
    assert per_run.output.folder == str(tmp_path / "out/waves" / per_run.job.uid)
    flat = build_local_plan(
        videojob(output=pvc | {"layout": "Flat"}), LocalPaths(io=tmp_path, output=tmp_path / "out"), now=NOON
    )
    assert flat.output.folder == str(tmp_path / "out/library")
    assert flat.output.exclusive


def test_a_bucket_is_the_real_one_with_the_users_own_identity(tmp_path: Path) -> None:
    orders = build_local_plan(videojob(output=BUCKET), LocalPaths(io=tmp_path), now=NOON)
    assert orders.output.s3 is not None
    assert orders.output.s3.prefix == f"videos/waves/{orders.job.uid}/"
    assert orders.output.url == f"s3://art/videos/waves/{orders.job.uid}/"
    assert orders.credentials_root is None


def test_a_folder_may_stand_for_a_bucket(tmp_path: Path) -> None:
    orders = build_local_plan(videojob(output=BUCKET), LocalPaths(io=tmp_path, output=tmp_path / "out"), now=NOON)
    assert orders.output.s3 is None
    assert orders.output.folder == str(tmp_path / "out/waves" / orders.job.uid)


@pytest.mark.parametrize("access", ["Copy", "Mount"])
def test_an_inputs_claim_is_copied_from_its_folder(tmp_path: Path, access: str) -> None:
    data = {"path": "data", "pvc": {"claimName": "ssv2", "subPath": "v2"}, "access": access}
    (item,) = plan(tmp_path, inputs=[data]).inputs
    assert item.mount_path == str(tmp_path / "claims/ssv2")
    assert item.input.access == "Copy"


def test_nobody_listens_to_reports(tmp_path: Path) -> None:
    assert plan(tmp_path).report is None


def test_nobody_would_start_another_attempt(tmp_path: Path) -> None:
    assert not plan(tmp_path).publishes_checkpoints


def test_a_store_that_is_away_at_the_start_is_waited_for_a_minute(tmp_path: Path) -> None:
    assert plan(tmp_path, deadlines={"startSeconds": 7200}).fetch_seconds == 60


def test_uids_sort_by_time_and_differ_within_a_second() -> None:
    uids = {local_uid(NOON) for _ in range(20)}
    assert len(uids) > 1
    assert all(uid.startswith("20260501-123005-") for uid in uids)


def test_relative_folders_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    orders = build_local_plan(videojob(), LocalPaths(io=tmp_path), now=NOON)
    assert orders.output.folder is not None
    assert orders.output.folder.startswith(str(tmp_path / "videos/waves"))
