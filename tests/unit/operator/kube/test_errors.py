"""What the API server's answers mean for the operator."""

from __future__ import annotations

import json
from typing import Any

import pytest
from videojob_operator.kube import crd
from videojob_operator.kube.client import parse_warnings, parse_watch_event
from videojob_operator.kube.errors import (
    ApiError,
    Conflict,
    Expired,
    Forbidden,
    Invalid,
    NotFound,
    Unreachable,
    error_from_response,
)
from videojob_operator.kube.kinds import CRDS, JOBS, PODS, VIDEOJOBS, Kind

from tests.unit.operator.fakes import RecordingApi


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Forbidden),
        (403, Forbidden),
        (404, NotFound),
        (409, Conflict),
        (410, Expired),
        (413, Invalid),
        (422, Invalid),
        (429, Unreachable),
        (500, Unreachable),
        (503, Unreachable),
    ],
)
def test_each_status_has_its_error(status: int, kind: type[ApiError]) -> None:
    error = error_from_response(status=status, body=b'{"message": "because"}', what="GET /x")
    assert type(error) is kind
    assert (error.status, str(error)) == (status, f"GET /x: {status} because")


def test_an_apply_that_breaks_the_schema_comes_as_500_and_is_final() -> None:
    body = b'{"message": "failed to create typed patch object"}'
    assert isinstance(error_from_response(status=500, body=body, what="PATCH /x", applying=True), Invalid)


def test_an_apply_that_meets_a_failing_server_is_tried_again() -> None:
    assert isinstance(
        error_from_response(status=500, body=b"etcd timeout", what="PATCH /x", applying=True), Unreachable
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"\xff\xfe", b'{"message": null}'])
def test_any_body_can_be_told(body: bytes) -> None:
    assert str(error_from_response(status=502, body=body, what="GET /x")).startswith("GET /x: 502")


def test_an_error_event_of_a_watch_is_raised() -> None:
    event = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    with pytest.raises(Expired, match="too old"):
        parse_watch_event(json.dumps(event).encode(), what="WATCH /x")


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"type": "ADDED"}', b'"x"'])
def test_a_line_that_is_no_event_breaks_the_watch(line: bytes) -> None:
    with pytest.raises(Unreachable, match="not a watch event"):
        parse_watch_event(line, what="WATCH /x")


def test_warnings_lose_their_wrapping() -> None:
    headers = ('299 - "would violate PodSecurity \\"restricted:latest\\": x"', "odd")
    assert parse_warnings(headers) == ('would violate PodSecurity "restricted:latest": x', "odd")


@pytest.mark.parametrize(
    ("kind", "where", "path"),
    [
        (PODS, {}, "/api/v1/pods"),
        (JOBS, {"namespace": "art"}, "/apis/batch/v1/namespaces/art/jobs"),
        (
            VIDEOJOBS,
            {"namespace": "art", "name": "a", "subresource": "status"},
            "/apis/videojobs.dev/v1alpha1/namespaces/art/videojobs/a/status",
        ),
        (PODS, {"namespace": "art", "name": "../secrets"}, "/api/v1/namespaces/art/pods/..%2Fsecrets"),
    ],
)
def test_addresses(kind: Kind, where: dict[str, str], path: str) -> None:
    assert kind.path(**where) == path


def definition(**change: Any) -> dict[str, Any]:
    """A CustomResourceDefinition that will do."""
    labels = {"videojobs.dev/schema-revision": change.get("revision", "1")}
    established = {"type": "Established", "status": change.get("established", "True")}
    return {
        "metadata": {"name": crd.CRD_NAME, "namespace": "", "labels": labels},
        "spec": {"versions": [{"name": change.get("version", "v1alpha1"), "served": change.get("served", True)}]},
        "status": {"conditions": [established]},
    }


def test_a_fitting_definition_has_no_complaint() -> None:
    assert crd.incompatibility(definition()) == ""
    assert crd.incompatibility(definition(revision="99")) == ""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"version": "v1"}, "does not serve v1alpha1"),
        ({"served": False}, "does not serve v1alpha1"),
        ({"revision": "0"}, "has schema revision 0"),
        ({"revision": ""}, "has schema revision none"),
        ({"revision": "new"}, "has schema revision new"),
        ({"established": "False"}, "not established"),
    ],
)
def test_an_unfit_definition_is_named(change: dict[str, Any], complaint: str) -> None:
    assert complaint in crd.incompatibility(definition(**change))


async def test_the_operator_waits_for_its_definition_and_then_gives_up() -> None:
    with pytest.raises(crd.IncompatibleCluster, match="there is no CustomResourceDefinition"):
        await crd.require_crd(RecordingApi(), timeout_seconds=0)


async def test_the_operator_starts_as_soon_as_the_definition_fits() -> None:
    api = RecordingApi()
    api.objects[CRDS, "", crd.CRD_NAME] = definition()
    await crd.require_crd(api, timeout_seconds=0)
