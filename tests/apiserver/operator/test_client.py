"""The client against a real API server: what its answers mean, and what server-side apply really does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import load_kube_config
from videojob_operator.cache.cluster_cache import FAILED_CREATE
from videojob_operator.domain.observation.projection import project_refusal
from videojob_operator.kube.api import WATCH_OPENED
from videojob_operator.kube.client import KubeClient
from videojob_operator.kube.errors import Conflict, Expired, Invalid, NotFound, Unreachable
from videojob_operator.kube.kinds import EVENTS, JOBS, PODS, SECRETS, TOKEN_REVIEWS, VIDEOJOBS
from videojob_operator.kube.token_review import ApiTokenReviewer
from videojob_operator.metrics import Metrics

import devcluster
from tests.e2e.manifests import videojob

pytestmark = pytest.mark.apiserver
ME, OTHER = "videojobs.dev-controller", "videojobs.dev-progress"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="test")


@pytest_asyncio.fixture
async def client(cluster: devcluster.ApiServer, metrics: Metrics) -> AsyncIterator[KubeClient]:
    configuration = Configuration()
    await load_kube_config(config_file=str(cluster.kubeconfig), client_configuration=configuration)  # type: ignore[no-untyped-call]
    api = ApiClient(configuration)
    yield KubeClient(api, metrics)
    await api.rest_client.close()


@pytest_asyncio.fixture
async def sunset(client: KubeClient, space: str) -> dict[str, Any]:
    """A VideoJob that the session's operator leaves alone."""
    manifest = videojob("sunset", managedBy="example.com/test")
    return (await client.create(VIDEOJOBS, manifest, namespace=space)).body


def applied(stored: dict[str, Any], **status: Any) -> dict[str, Any]:
    meta = {key: stored["metadata"][key] for key in ("name", "namespace", "resourceVersion")}
    return {"apiVersion": "videojobs.dev/v1alpha1", "kind": "VideoJob", "metadata": meta, "status": status}


async def test_a_status_is_written_once_and_a_repetition_changes_nothing(
    client: KubeClient, sunset: dict[str, Any]
) -> None:
    first = await client.apply_status(VIDEOJOBS, applied(sunset, state="Running"), manager=ME)
    again = await client.apply_status(VIDEOJOBS, applied(first, state="Running"), manager=ME)
    assert again["status"]["state"] == "Running"
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_two_managers_leave_each_others_fields_alone(client: KubeClient, sunset: dict[str, Any]) -> None:
    one = await client.apply_status(VIDEOJOBS, applied(sunset, state="Running"), manager=ME)
    two = await client.apply_status(VIDEOJOBS, applied(one, progress={"state": "running", "percent": 5}), manager=OTHER)
    three = await client.apply_status(VIDEOJOBS, applied(two, state="Failed"), manager=ME)
    assert (three["status"]["state"], three["status"]["progress"]["percent"]) == ("Failed", 5)


async def test_a_stale_version_is_a_conflict(client: KubeClient, sunset: dict[str, Any]) -> None:
    await client.apply_status(VIDEOJOBS, applied(sunset, state="Running"), manager=ME)
    with pytest.raises(Conflict):
        await client.apply_status(VIDEOJOBS, applied(sunset, state="Failed"), manager=ME)


async def test_a_status_against_the_schema_is_final(client: KubeClient, sunset: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await client.apply_status(VIDEOJOBS, applied(sunset, mood="good"), manager=ME)
    with pytest.raises(Invalid):
        await client.apply_status(VIDEOJOBS, applied(sunset, attempt="many"), manager=ME)


async def test_a_missing_object_is_not_found_and_nothing_is_made(client: KubeClient, sunset: dict[str, Any]) -> None:
    meta = sunset["metadata"] | {"name": "nobody"}
    with pytest.raises(NotFound):
        await client.apply_status(VIDEOJOBS, applied({"metadata": meta}, state="x"), manager=ME)
    with pytest.raises(NotFound):
        await client.get(VIDEOJOBS, "nobody", namespace=meta["namespace"])


async def test_a_second_creation_is_a_conflict_and_a_bad_one_is_final(
    client: KubeClient, sunset: dict[str, Any]
) -> None:
    namespace = sunset["metadata"]["namespace"]
    with pytest.raises(Conflict):
        await client.create(VIDEOJOBS, videojob("sunset"), namespace=namespace)
    with pytest.raises(Invalid, match="restartPolicy"):
        await client.create(JOBS, job("bad", restart="Always"), namespace=namespace)


def job(name: str, *, restart: str = "Never") -> dict[str, Any]:
    pod = {"restartPolicy": restart, "containers": [{"name": "main", "image": "busybox"}]}
    labels = {"videojobs.dev/managed": "true"}
    meta = {"name": name, "labels": labels}
    spec = {"suspend": True, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


async def test_what_pod_security_will_refuse_is_said_at_creation(
    client: KubeClient, space: str, cluster: devcluster.ApiServer
) -> None:
    cluster.kubectl("label", "namespace", space, "pod-security.kubernetes.io/warn=restricted")
    reply = await client.create(JOBS, job("rooted"), namespace=space)
    assert any("would violate PodSecurity" in warning for warning in reply.warnings)


async def test_uid_is_a_precondition_of_deleting_and_patching(client: KubeClient, space: str) -> None:
    made = (await client.create(JOBS, job("mine"), namespace=space)).body
    with pytest.raises(Conflict):
        await client.delete(JOBS, "mine", namespace=space, uid="another")
    with pytest.raises(Invalid, match="immutable"):
        await client.merge_patch(
            JOBS, "mine", namespace=space, body={"metadata": {"uid": "another"}, "spec": {"suspend": False}}
        )
    patched = await client.merge_patch(
        JOBS, "mine", namespace=space, body={"metadata": {"uid": made["metadata"]["uid"]}, "spec": {"suspend": False}}
    )
    assert patched["spec"]["suspend"] is False
    await client.delete(JOBS, "mine", namespace=space, uid=made["metadata"]["uid"])


async def test_a_replacement_of_a_stale_object_is_a_conflict(client: KubeClient, space: str) -> None:
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": space}}
    old = (await client.create(SECRETS, body, namespace=space)).body
    await client.replace(SECRETS, old | {"data": {"a": "eA=="}})
    with pytest.raises(Conflict):
        await client.replace(SECRETS, old | {"data": {"b": "eA=="}})


async def test_lists_come_in_pages_and_metadata_alone_is_small(client: KubeClient, sunset: dict[str, Any]) -> None:
    namespace = sunset["metadata"]["namespace"]
    await client.create(VIDEOJOBS, videojob("waves", managedBy="example.com/test"), namespace=namespace)
    pages = [page async for page in client.list_pages(VIDEOJOBS, namespace=namespace, query={"limit": "1"})]
    assert [len(page["items"]) for page in pages] == [1, 1]
    [page] = [page async for page in client.list_pages(VIDEOJOBS, namespace=namespace, metadata_only=True)]
    assert {item["metadata"]["name"] for item in page["items"]} == {"sunset", "waves"}
    assert all("spec" not in item for item in page["items"])


async def test_a_watch_opens_tells_changes_and_falls_silent(client: KubeClient, sunset: dict[str, Any]) -> None:
    namespace, version = sunset["metadata"]["namespace"], sunset["metadata"]["resourceVersion"]
    events = client.watch(VIDEOJOBS, namespace=namespace, query={"resourceVersion": version}, idle_timeout=2.0)
    assert (await anext(events))["type"] == WATCH_OPENED
    await client.apply_status(VIDEOJOBS, applied(sunset, state="Running"), manager=ME)
    change = await asyncio.wait_for(anext(events), 10)
    assert (change["type"], change["object"]["status"]["state"]) == ("MODIFIED", "Running")
    with pytest.raises(Unreachable):
        await asyncio.wait_for(anext(events), 10)


async def test_a_watch_from_a_version_that_never_was_is_expired_or_refused(client: KubeClient, space: str) -> None:
    events = client.watch(PODS, namespace=space, query={"resourceVersion": "1"}, idle_timeout=5.0)
    with pytest.raises((Expired, Unreachable)):
        async for _ in events:
            pass


async def test_failed_creations_are_watched_by_their_reason(client: KubeClient, space: str) -> None:
    [page] = [page async for page in client.list_pages(EVENTS, namespace=space, query=FAILED_CREATE)]
    query = {**FAILED_CREATE, "resourceVersion": page["metadata"]["resourceVersion"], "timeoutSeconds": "60"}
    events = client.watch(EVENTS, namespace=space, query=query, idle_timeout=20.0)
    assert (await anext(events))["type"] == WATCH_OPENED
    await client.create(EVENTS, event(space, "u-1", "started") | {"reason": "Started"}, namespace=space)
    await client.create(EVENTS, event(space, "u-2", "exceeded quota"), namespace=space)
    seen = project_refusal((await asyncio.wait_for(anext(events), 10))["object"])
    assert (seen.job_uid, seen.message) == ("u-2", "exceeded quota")


def event(namespace: str, uid: str, note: str) -> dict[str, Any]:
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": "e-", "namespace": namespace},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "job-controller",
        "reportingInstance": "test",
        "action": "x",
        "reason": "FailedCreate",
        "type": "Warning",
        "note": note,
        "regarding": {"kind": "Job", "namespace": namespace, "name": "j", "uid": uid},
    }


async def test_a_garbage_token_is_not_authenticated(client: KubeClient) -> None:
    status = await ApiTokenReviewer(client).review("not.a.token", audience="videojobs.dev/status/a/b/c")
    assert status.get("authenticated") is None
    assert "error" in status


async def test_calls_are_counted_by_what_came_of_them(client: KubeClient, metrics: Metrics, space: str) -> None:
    with pytest.raises(NotFound):
        await client.get(PODS, "nobody", namespace=space)
    await client.create(
        TOKEN_REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "x"}}
    )
    value = metrics.registry.get_sample_value
    assert value("api_requests_total", {"verb": "GET", "kind": "Pod", "code": "404"}) == 1
    assert value("api_requests_total", {"verb": "POST", "kind": "TokenReview", "code": "201"}) == 1


async def test_nobody_there_is_unreachable(metrics: Metrics) -> None:
    configuration = Configuration(host="https://127.0.0.1:1")
    async with ApiClient(configuration) as api:
        with pytest.raises(Unreachable, match="GET /api/v1/namespaces/a/pods/b"):
            await KubeClient(api, metrics).get(PODS, "b", namespace="a")
    assert metrics.registry.get_sample_value("api_requests_total", {"verb": "GET", "kind": "Pod", "code": "0"}) == 1
