"""The plan: the spec resolved for fetch and agent, in a pod and without a cluster."""

from __future__ import annotations

import json
from typing import Any

import pytest
from videojob_api.contract.config import RunnerConfig
from videojob_api.messages.plan import JobPlan, JobRef
from videojob_operator.domain.manifests.plan import PlanPaths, build_plan, serialize_plan
from videojob_operator.domain.manifests.scratch import ScratchSize, scratch_size
from videojob_operator.domain.policies.acceptance import find_problem

from tests.unit.operator.builders import UID, custom, settings, spec

REF = JobRef(namespace="art", name="sunset", uid=UID)
S3 = {"bucket": "art", "endpoint": "https://minio:9000", "credentials": {"secretName": "art-s3"}}
GI = 1024**3


def plan(places: PlanPaths | None = None, **told: Any) -> JobPlan:
    return build_plan(REF, spec(**told), places or PlanPaths())


def test_the_config_is_the_same_pipeline_in_our_form() -> None:
    config = RunnerConfig.model_validate_json(plan(encoding={"fps": 12}).config)
    assert (config.uid, config.name, config.encoding.fps) == (UID, "sunset", 12)
    assert config.pipeline == spec().pipeline


def test_the_config_repeats_the_steps_after_the_frames() -> None:
    config = RunnerConfig.model_validate_json(
        plan(post=[{"upscale": {"scale": 2}}, {"interpolate": {"fps": 60}}]).config
    )
    assert [step.model_dump(exclude_none=True) for step in config.post or []] == [
        {"upscale": {"scale": 2, "tile": 256}},
        {"interpolate": {"fps": 60}},
    ]


def test_a_foreign_image_gets_the_users_own_config_with_the_uid_under_both_names() -> None:
    told = plan(**custom(config={"prompt": "waves", "num_frames": 5}))
    assert json.loads(told.config) == {"uid": UID, "unique_id": UID, "prompt": "waves", "num_frames": 5}
    assert told.custom_runner


def test_the_users_own_names_in_a_foreign_config_win() -> None:
    assert json.loads(plan(**custom(config={"unique_id": "mine"})).config)["unique_id"] == "mine"


def test_a_foreign_image_without_a_config_gets_the_uid_alone() -> None:
    assert json.loads(plan(**custom(command=["true"])).config) == {"uid": UID, "unique_id": UID}


@pytest.mark.parametrize(
    ("prefix", "layout", "resolved"),
    [
        ("videos/", "PerRun", f"videos/sunset/{UID}/"),
        ("videos", "PerRun", f"videos/sunset/{UID}/"),
        ("", "PerRun", f"sunset/{UID}/"),
        ("videos/2026", "Flat", "videos/2026/"),
        ("", "Flat", ""),
    ],
)
def test_a_bucket_output(prefix: str, layout: str, resolved: str) -> None:
    output = plan(output={"s3": S3 | {"prefix": prefix}, "layout": layout}).output
    assert output.s3 is not None
    assert (output.s3.prefix, output.url, output.exclusive) == (resolved, f"s3://art/{resolved}", layout == "Flat")
    assert (output.s3.endpoint, output.folder) == ("https://minio:9000", None)


@pytest.mark.parametrize(
    ("sub_path", "layout", "folder", "url"),
    [
        (None, "PerRun", f"/mnt/output/sunset/{UID}", f"pvc://videos/sunset/{UID}/"),
        ("a/b", "PerRun", f"/mnt/output/a/b/sunset/{UID}", f"pvc://videos/a/b/sunset/{UID}/"),
        ("a", "Flat", "/mnt/output/a", "pvc://videos/a/"),
        (None, "Flat", "/mnt/output", "pvc://videos/"),
    ],
)
def test_a_claim_output(sub_path: str | None, layout: str, folder: str, url: str) -> None:
    output = plan(output={"pvc": {"claimName": "videos", "subPath": sub_path}, "layout": layout}).output
    assert (output.folder, output.url, output.s3) == (folder, url, None)


def test_a_run_without_a_cluster_goes_where_its_user_says() -> None:
    local = PlanPaths(io_path="/tmp/io", output_folder="/home/me/out", credentials_root=None)
    told = plan(local, output={"s3": S3})
    assert (told.output.folder, told.output.url, told.output.s3) == ("/home/me/out", "file:///home/me/out/", None)
    assert (told.io_path, told.credentials_root, told.report) == ("/tmp/io", None, None)


def test_in_the_pod_reports_and_credentials_have_their_places() -> None:
    told = plan(PlanPaths(report_url="https://reports/v1"))
    assert told.report is not None
    assert (told.report.url, told.report.token_path) == ("https://reports/v1", "/var/run/secrets/videojob/token")
    assert (told.io_path, told.credentials_root) == ("/video_io", "/var/run/secrets/videojob/s3")


def test_only_copied_claims_have_a_mount_for_fetch() -> None:
    inputs = [
        {"path": "a", "pvc": {"claimName": "seeds", "subPath": "x"}},
        {"path": "b", "pvc": {"claimName": "seeds"}, "access": "Mount"},
        {"path": "c", "inline": "text"},
    ]
    assert [item.mount_path for item in plan(inputs=inputs).inputs] == ["/mnt/claims/seeds", None, None]


@pytest.mark.parametrize(("grace", "flush"), [(120, 60), (5, 2), (3600, 1800)])
def test_the_agent_may_publish_for_half_of_the_grace_period(grace: int, flush: int) -> None:
    assert plan(pod={"terminationGracePeriodSeconds": grace}).flush_seconds == flush
    assert plan().flush_seconds == 60


def test_fetch_may_wait_for_a_store_as_long_as_the_job_may_take_to_start() -> None:
    assert plan().fetch_seconds == 1800
    assert plan(deadlines={"startSeconds": 7200}).fetch_seconds == 7200
    assert plan(PlanPaths(fetch_seconds=60), deadlines={"startSeconds": 7200}).fetch_seconds == 60


def test_a_finished_output_waits_for_its_store_as_long_as_the_user_says() -> None:
    assert plan().publish_seconds == 21_600
    assert plan(deadlines={"publishSeconds": 600}).publish_seconds == 600


def test_a_plan_that_was_written_can_be_read() -> None:
    told = plan(output={"s3": S3}, inputs=[{"path": "ä", "inline": "“$(HOME)” \n"}])
    assert JobPlan.model_validate_json(serialize_plan(told)) == told


def found(**told: Any) -> str | None:
    """The reason of the objection to a spec."""
    problem = find_problem(REF, spec(**told), settings(s3_allowed_endpoints=("http://minio:9000",)))
    return problem.reason if problem else None


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        (None, None),
        ("https://anywhere.example", None),
        ("http://minio:9000", None),
        ("http://minio:9001", "EndpointNotAllowed"),
        ("http://minio", "EndpointNotAllowed"),
    ],
)
def test_plain_http_only_where_the_installation_allows_it(endpoint: str | None, reason: str | None) -> None:
    place = {"bucket": "art", "endpoint": endpoint}
    assert found(output={"s3": place}) == reason
    assert found(inputs=[{"path": "a", "s3": place | {"key": "k"}}]) == reason


@pytest.mark.parametrize(("size", "reason"), [(32_000, None), (33_000, "ConfigTooLarge")])
def test_a_free_form_config_has_a_limit(size: int, reason: str | None) -> None:
    assert found(**custom(config={"text": "x" * size})) == reason


@pytest.mark.parametrize(("count", "reason"), [(20, None), (64, "PlanTooLarge")])
def test_the_whole_plan_has_a_limit(count: int, reason: str | None) -> None:
    long = [{"path": f"{n}", "s3": {"bucket": "art", "key": "k" * 1020 + str(n)}} for n in range(count)]
    told = {"inputs": long} | custom(config={"text": "x" * 32_000})
    assert found(**told) == reason


def test_scratch_holds_larger_frames_too_and_the_longer_video() -> None:
    raw = 64 * 64 * 3
    told = spec(post=[{"upscale": {"scale": 2}}, {"interpolate": {"fps": 48}}])
    pngs, video = 12 * (raw + 4 * raw) * 0.6, 24 * 4 * raw * 0.1
    assert int(scratch_size(told).request) == pytest.approx(pngs + video + GI, abs=1)


@pytest.mark.parametrize("told", [{"scratch": {"size": "20Gi"}}, {"scratch": {"size": "20Gi"}, "runAsUser": 7}])
def test_a_scratch_size_that_the_user_gives_is_taken(told: dict[str, Any]) -> None:
    assert scratch_size(spec(pod=told)) == ScratchSize("20Gi", "20Gi")


def vqgan(**form: Any) -> dict[str, Any]:
    return {"vqganClip": {"width": 1000, "height": 1000} | form}


@pytest.mark.parametrize(
    ("form", "frames"),
    [
        ({"video": {"prompts": "p", "frames": 100}}, 100),
        ({"image": {"prompts": "p"}}, 1),
        ({"image": {"prompts": "p", "iterations": 100, "saveEvery": 10}}, 10),
        ({"image": {"prompts": "p", "iterations": 101, "saveEvery": 10}}, 11),
    ],
)
def test_scratch_is_estimated_from_the_frames(form: dict[str, Any], frames: int) -> None:
    size = scratch_size(spec(pipeline=vqgan(**form)))
    assert int(size.request) == pytest.approx(frames * 3_000_000 * 0.7 + GI, abs=1)
    assert size.limit == size.request


def test_a_timelapse_has_a_frame_more_than_iterations_and_a_video_of_ten_times_as_many() -> None:
    size = scratch_size(spec(pipeline=vqgan(timelapse={"prompts": "p", "iterations": 99})))
    assert int(size.request) == pytest.approx(100 * 3_000_000 * (0.6 + 10 * 0.1) + GI, abs=1)


def test_a_style_transfer_keeps_its_source_s_frames_too_and_has_no_limit_when_their_number_is_unknown() -> None:
    style = {"prompts": "p", "source": "a"}
    film = [{"path": "a", "s3": {"bucket": "art", "key": "k"}, "sizeBytes": 0}]
    sized = scratch_size(spec(pipeline=vqgan(styleTransfer=style | {"frames": 50}), inputs=film))
    assert int(sized.request) == pytest.approx(50 * 3_000_000 * (2 * 0.6 + 0.1) + GI, abs=1)
    assert sized.limit == sized.request
    assert scratch_size(spec(pipeline=vqgan(styleTransfer=style), inputs=film)).limit is None


def test_known_inputs_add_to_the_estimate_and_unknown_ones_lift_the_limit() -> None:
    empty = int(scratch_size(spec()).request)
    sized = scratch_size(spec(inputs=[{"path": "a", "s3": {"bucket": "art", "key": "k"}, "sizeBytes": 12345}]))
    unknown = scratch_size(spec(inputs=[{"path": "a", "s3": {"bucket": "art", "key": "k"}}]))
    mounted = scratch_size(spec(inputs=[{"path": "a", "pvc": {"claimName": "c"}, "access": "Mount", "sizeBytes": 7}]))
    assert sized == ScratchSize(str(empty + 12345), str(empty + 12345))
    assert unknown == ScratchSize(str(empty), None)
    assert mounted == ScratchSize(str(empty), str(empty))
    assert scratch_size(spec(**custom(command=["true"]))) == ScratchSize(str(GI), None)


@pytest.mark.parametrize(
    ("told", "places", "carries"),
    [
        ({}, PlanPaths(), True),
        ({"test": {"durationSeconds": 3}}, PlanPaths(), False),
        (custom(command=["true"]), PlanPaths(), False),
        ({}, PlanPaths(can_retry=False), False),
    ],
    ids=["real work", "a test", "a foreign image", "a run without a cluster"],
)
def test_checkpoints_are_carried_where_the_next_attempt_could_go_on_from_them(
    told: dict[str, Any], places: PlanPaths, carries: bool
) -> None:
    assert plan(places, **told).publishes_checkpoints is carries


def test_the_config_says_how_often_to_save() -> None:
    config = RunnerConfig.model_validate_json(plan(checkpoint={"intervalSeconds": 7}).config)
    assert config.checkpoint.interval_seconds == 7
