"""The operator's environment: typed, documented, and precise about what is wrong."""

from __future__ import annotations

from datetime import timedelta

import pytest
from videojob_operator.settings import InvalidSetting, OperatorSettings, from_environment, settings_table

LEAST = {"VIDEOJOB_NAMESPACE": "videojob-system", "VIDEOJOB_AGENT_IMAGE": "operator:1"}


def test_two_variables_are_enough() -> None:
    settings = from_environment(LEAST | {"PATH": "/bin", "VIDEOJOB_SOMETHING_ELSE": "1"})
    assert (settings.status_port, settings.metrics_port, settings.watch_scopes) == (8443, 8080, (None,))


def test_lists_are_comma_separated() -> None:
    found = from_environment(LEAST | {"VIDEOJOB_WATCH_NAMESPACES": "art, night,", "VIDEOJOB_S3_ALLOWED_ENDPOINTS": ""})
    assert (found.watch_namespaces, found.watch_scopes) == (("art", "night"), ("art", "night"))
    assert found.s3_allowed_endpoints == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VIDEOJOB_STATUS_PORT", "many"),
        ("VIDEOJOB_STATUS_PORT", "70000"),
        ("VIDEOJOB_POD_REFUSED_WAIT_SECONDS", "0"),
        ("VIDEOJOB_LOG_LEVEL", "LOUD"),
        ("VIDEOJOB_IMAGE_PULL_POLICY", "Sometimes"),
        ("VIDEOJOB_NAMESPACE", ""),
    ],
)
def test_a_bad_value_names_its_variable_and_itself(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        from_environment(LEAST | {name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize("name", LEAST)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{name}: "):
        from_environment({key: value for key, value in LEAST.items() if key != name})


def test_the_names_of_the_service_are_those_a_client_may_use() -> None:
    names = from_environment(LEAST).dns_names
    assert names[-2:] == ("videojob.videojob-system.svc", "videojob.videojob-system.svc.cluster.local")


def test_the_domain_gets_addresses_and_waits() -> None:
    environment = LEAST | {"VIDEOJOB_IMAGE_PULL_WAIT_SECONDS": "7", "VIDEOJOB_RUNNER_IMAGE": "runner:2"}
    domain = from_environment(environment).reconcile_settings(authority="PEM")
    assert domain.endpoint == "https://videojob.videojob-system.svc:8443"
    assert (domain.endpoint_ca, domain.image_pull_wait) == ("PEM", timedelta(seconds=7))
    assert (domain.agent_image, domain.runner_image, domain.image_pull_policy) == ("operator:1", "runner:2", None)


def test_the_table_shows_every_variable() -> None:
    assert all(f"VIDEOJOB_{name.upper()}" in settings_table() for name in OperatorSettings.model_fields)
