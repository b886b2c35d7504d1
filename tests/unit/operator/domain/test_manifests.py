"""The Job and its pod as data: failure policy, restricted security, and who sees which volume."""

from __future__ import annotations

import json
from typing import Any

import pytest
from videojob_api.messages.plan import JobPlan, JobRef
from videojob_operator.domain.manifests.job import job_manifest, pod_failure_policy
from videojob_operator.domain.manifests.volumes import claim_names, secret_names
from videojob_operator.domain.names import audience, job_name, progress_path

from tests.unit.operator.builders import UID, custom, settings, spec

REF = JobRef(namespace="art", name="sunset", uid=UID)
BUCKET = {"s3": {"bucket": "art", "credentials": {"secretName": "art-s3"}}}
CA = "-----BEGIN CERTIFICATE-----\nMII$x\n-----END CERTIFICATE-----\n"


def job(**told: Any) -> dict[str, Any]:
    return job_manifest(REF, spec(**told), settings(endpoint_ca=CA))


def pod(**told: Any) -> dict[str, Any]:
    found: dict[str, Any] = job(**told)["spec"]["template"]["spec"]
    return found


def containers(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in found["initContainers"] + found["containers"]}


def env(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"]}


def mounts(found: dict[str, Any], container: str) -> dict[str, tuple[str, str, bool]]:
    """Path → volume, sub path, read-only."""
    return {
        mount["mountPath"]: (mount["name"], mount.get("subPath", ""), mount.get("readOnly", False))
        for mount in containers(found)[container]["volumeMounts"]
    }


def test_names_are_pure_functions_and_fit() -> None:
    assert job_name("sunset") == "sunset-1"
    assert job_name("x" * 52, attempt=2) == "x" * 52 + "-2"
    assert audience(namespace="art", name="sunset", uid="u") == "videojobs.dev/status/art/sunset/u"
    assert progress_path(namespace="art", name="sunset") == "/v1/namespaces/art/videojobs/sunset/progress"


def test_the_job_belongs_to_this_very_videojob() -> None:
    meta = job()["metadata"]
    assert (meta["name"], meta["namespace"]) == ("sunset-1", "art")
    assert meta["labels"] == {
        "videojobs.dev/managed": "true",
        "videojobs.dev/name": "sunset",
        "videojobs.dev/uid": UID,
    }
    assert meta["ownerReferences"] == [
        {
            "apiVersion": "videojobs.dev/v1alpha1",
            "kind": "VideoJob",
            "name": "sunset",
            "uid": UID,
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def test_the_job_retries_within_itself_and_never_vanishes_by_itself() -> None:
    body = job(retry={"limit": 5}, deadlines={"activeSeconds": 99}, suspend=True)["spec"]
    assert (body["backoffLimit"], body["activeDeadlineSeconds"], body["suspend"]) == (5, 99, True)
    assert body["podReplacementPolicy"] == "Failed"
    assert "ttlSecondsAfterFinished" not in body
    assert "activeDeadlineSeconds" not in job()["spec"]


def test_a_disruption_is_ignored_before_any_exit_code_is_looked_at() -> None:
    first, *others = pod_failure_policy()
    assert first == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert others == [
        {"action": "FailJob", "onExitCodes": {"containerName": name, "operator": "In", "values": [64, 65, 66]}}
        for name in ("runner", "fetch")
    ]


def test_the_agent_is_a_sidecar_that_starts_before_fetch() -> None:
    found = pod()
    assert [(item["name"], item.get("restartPolicy")) for item in found["initContainers"]] == [
        ("agent", "Always"),
        ("fetch", None),
    ]
    assert [item["name"] for item in found["containers"]] == ["runner"]
    commands = {name: item["command"] for name, item in containers(found).items()}
    assert commands["agent"] == ["python3", "-m", "videojob_agent", "watch"]
    assert commands["fetch"] == ["python3", "-m", "videojob_agent", "fetch"]


def test_every_container_is_restricted() -> None:
    found = pod()
    assert found["securityContext"]["runAsNonRoot"] is True
    assert found["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers(found).values():
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert (security["runAsUser"], security["runAsGroup"]) == (65532, 65532)
    assert found["securityContext"]["fsGroup"] == 65532
    assert (found["automountServiceAccountToken"], found["enableServiceLinks"]) == (False, False)


def test_our_own_containers_have_a_read_only_root() -> None:
    read_only = {
        name for name, item in containers(pod()).items() if item["securityContext"].get("readOnlyRootFilesystem")
    }
    assert read_only == {"agent", "fetch"}


def test_a_user_can_be_chosen_and_owns_the_volumes() -> None:
    found = pod(pod={"runAsUser": 1234})
    assert found["securityContext"]["fsGroup"] == 1234
    assert {item["securityContext"]["runAsUser"] for item in containers(found).values()} == {1234}


def test_a_foreign_image_keeps_its_own_user_unless_one_is_chosen() -> None:
    own = containers(pod(**custom(command=["true"])))
    chosen = containers(pod(**custom(command=["true"]), pod={"runAsUser": 1234}))
    assert "runAsUser" not in own["runner"]["securityContext"]
    assert own["agent"]["securityContext"]["runAsUser"] == 65532
    assert chosen["runner"]["securityContext"]["runAsUser"] == 1234


def test_the_runner_sees_no_token_no_secret_and_no_output() -> None:
    found = pod(output=BUCKET)
    assert mounts(found, "runner") == {
        "/video_io": ("io", "", False),
        "/video_io/input": ("io", "input", True),
        "/tmp": ("runner-tmp", "", False),
        "/dev/shm": ("shm", "", False),
    }
    assert "token" not in json.dumps(containers(found)["runner"])
    assert "VIDEOJOB_PLAN" not in env(containers(found)["runner"])


def test_the_token_is_the_agents_alone_and_bound_to_this_incarnation() -> None:
    found = pod()
    with_token = [name for name in containers(found) if "/var/run/secrets/videojob" in mounts(found, name)]
    assert with_token == ["agent"]
    (volume,) = [item for item in found["volumes"] if item["name"] == "token"]
    assert volume["projected"]["sources"] == [
        {
            "serviceAccountToken": {
                "audience": f"videojobs.dev/status/art/sunset/{UID}",
                "expirationSeconds": 3600,
                "path": "token",
            }
        }
    ]


def test_each_secret_is_one_read_only_volume_of_fetch_and_agent() -> None:
    inputs = [
        {"path": "a", "s3": {"bucket": "art", "key": "a", "credentials": {"secretName": "art-s3"}}},
        {"path": "b", "s3": {"bucket": "art", "key": "b", "credentials": {"secretName": "other"}}},
    ]
    told = spec(output=BUCKET, inputs=inputs)
    assert secret_names(told) == ["art-s3", "other"]
    found = pod(output=BUCKET, inputs=inputs)
    secrets = {item["name"]: item["secret"] for item in found["volumes"] if "secret" in item}
    assert secrets == {
        "s3-0": {"secretName": "art-s3", "defaultMode": 0o440},
        "s3-1": {"secretName": "other", "defaultMode": 0o440},
    }
    for name in ("agent", "fetch"):
        assert mounts(found, name)["/var/run/secrets/videojob/s3/art-s3"] == ("s3-0", "", True)
        assert mounts(found, name)["/var/run/secrets/videojob/s3/other"] == ("s3-1", "", True)


def test_a_claim_that_is_used_thrice_is_one_volume_with_three_views() -> None:
    claim = {"claimName": "videos"}
    inputs = [
        {"path": "copied", "pvc": claim | {"subPath": "x"}},
        {"path": "copied-too", "pvc": claim},
        {"path": "seen", "pvc": claim | {"subPath": "y"}, "access": "Mount"},
        {"path": "seen-whole", "pvc": claim, "access": "Mount"},
    ]
    found = pod(inputs=inputs)
    assert claim_names(spec(inputs=inputs)) == ["videos"]
    assert [item["persistentVolumeClaim"] for item in found["volumes"] if "persistentVolumeClaim" in item] == [claim]
    assert mounts(found, "fetch")["/mnt/claims/videos"] == ("claim-0", "", True)
    assert [item["mountPath"] for item in containers(found)["fetch"]["volumeMounts"]].count("/mnt/claims/videos") == 1
    assert mounts(found, "runner")["/video_io/input/seen"] == ("claim-0", "y", True)
    assert mounts(found, "runner")["/video_io/input/seen-whole"] == ("claim-0", "", True)
    assert mounts(found, "agent")["/mnt/output"] == mounts(found, "fetch")["/mnt/output"] == ("claim-0", "", False)
    assert "/mnt/claims/videos" not in mounts(found, "agent")


def test_scratch_is_limited_and_asked_for() -> None:
    found = pod(pod={"scratch": {"size": "2Gi"}, "shm": {"size": "64Mi"}})
    volumes = {item["name"]: item.get("emptyDir") for item in found["volumes"]}
    assert volumes["io"] == {"sizeLimit": "2Gi"}
    assert volumes["shm"] == {"medium": "Memory", "sizeLimit": "64Mi"}
    assert containers(found)["runner"]["resources"] == {"requests": {"ephemeral-storage": "2Gi"}}


def test_scratch_without_a_limit_is_a_plain_empty_folder() -> None:
    volumes = {item["name"]: item.get("emptyDir") for item in pod(**custom(command=["true"]))["volumes"]}
    assert volumes["io"] == {}
    assert volumes["shm"] == {"medium": "Memory", "sizeLimit": "1Gi"}


def test_the_users_resources_are_kept_and_completed() -> None:
    limits = {"nvidia.com/gpu": 1, "memory": "8Gi"}
    sized = {"runner": {"resources": {"limits": limits, "requests": {"cpu": 2}}}, "pod": {"scratch": {"size": "1Gi"}}}
    assert containers(pod(**sized))["runner"]["resources"] == {
        "limits": {"nvidia.com/gpu": "1", "memory": "8Gi"},
        "requests": {"cpu": "2", "ephemeral-storage": "1Gi"},
    }
    own = {"runner": {"accelerator": "None", "resources": {"limits": {"ephemeral-storage": "5Gi"}}}}
    assert containers(pod(**own))["runner"]["resources"] == {"limits": {"ephemeral-storage": "5Gi"}}


@pytest.mark.parametrize(
    ("test", "words", "mode"),
    [
        (None, ["--mode=PROD"], "PROD"),
        ({"durationSeconds": 30}, ["--mode=TEST", "--test_duration=30"], "TEST"),
        ({"durationSeconds": 5, "fail": True}, ["--mode=TEST_FAIL", "--test_duration=5"], "TEST_FAIL"),
    ],
)
def test_the_runner_is_called_as_the_contract_says(test: Any, words: list[str], mode: str) -> None:
    runner = containers(pod(test=test))["runner"]
    assert runner["command"] == ["python3", "exec.py", *words]
    assert env(runner) == {
        "HOME": "/tmp",
        "VIDEO_IO_PATH": "/video_io",
        "VIDEOJOB_MODE": mode,
        "VIDEOJOB_ACCELERATOR": "None",
        "VIDEOJOB_AWAIT_PUBLISHED": "1",
    }
    assert (runner["image"], runner["terminationMessagePolicy"]) == ("runner:1", "FallbackToLogsOnError")


def test_a_foreign_runner_gets_its_command_and_waits_for_nobody() -> None:
    told = custom(command=["/bin/sh"], args=["-c", "echo $(HOME) $$"], env=[{"name": "A", "value": "1"}])
    told["runner"]["env"] = [{"name": "HOME", "value": "/work"}, {"name": "VIDEO_IO_PATH", "value": "/elsewhere"}]
    runner = containers(pod(**told))["runner"]
    assert (runner["command"], runner["args"], runner["image"]) == (["/bin/sh"], ["-c", "echo $(HOME) $$"], "acme:1")
    assert env(runner) == {
        "HOME": "/work",
        "A": "1",
        "VIDEO_IO_PATH": "/video_io",
        "VIDEOJOB_MODE": "PROD",
        "VIDEOJOB_ACCELERATOR": "None",
    }


def test_a_foreign_image_may_bring_its_own_command() -> None:
    assert {"command", "args"}.isdisjoint(containers(pod(**custom(config={})))["runner"])


def test_the_plan_reaches_fetch_and_agent_and_the_authority_the_agent_only() -> None:
    found = containers(pod())
    agent, fetch = env(found["agent"]), env(found["fetch"])
    assert agent["VIDEOJOB_PLAN"] == fetch["VIDEOJOB_PLAN"]
    plan = JobPlan.model_validate_json(agent["VIDEOJOB_PLAN"])
    assert plan.report is not None
    assert plan.report.url == "https://reports:8443/v1/namespaces/art/videojobs/sunset/progress"
    assert agent["VIDEOJOB_CA"] == CA
    assert "VIDEOJOB_CA" not in fetch
    without = job_manifest(REF, spec(), settings())["spec"]["template"]["spec"]
    assert "VIDEOJOB_CA" not in env(containers(without)["agent"])


def test_dollars_in_a_plan_survive_the_kubelets_expansion() -> None:
    prompts = "costs $5 | $(HOME) | $$x"
    told = pod(pipeline={"vqganClip": {"image": {"prompts": prompts}}})
    value = env(containers(told)["agent"])["VIDEOJOB_PLAN"]
    assert (
        json.loads(JobPlan.model_validate_json(expanded(value, {"HOME": "/tmp"})).config)["pipeline"]["vqganClip"][
            "image"
        ]["prompts"]
        == prompts
    )


def expanded(value: str, known: dict[str, str]) -> str:
    """Kubernetes' expansion of an environment value as documented: `$$` is `$`, `$(NAME)` the variable."""
    result, place = "", 0
    while place < len(value):
        rest = value[place:]
        name = rest[2 : rest.index(")")] if rest.startswith("$(") and ")" in rest else ""
        if rest.startswith("$$"):
            result, place = result + "$", place + 2
        elif name in known:
            result, place = result + known[name], place + len(name) + 3
        else:
            result, place = result + rest[0], place + 1
    return result


def test_the_curated_part_of_the_pod_is_passed_on() -> None:
    told = {
        "imagePullSecrets": ["registry"],
        "serviceAccountName": "renderer",
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "low",
        "runtimeClassName": "nvidia",
        "schedulerName": "volcano",
        "terminationGracePeriodSeconds": 300,
    }
    found = pod(pod=told)
    assert {name: found[name] for name in told} == told | {"imagePullSecrets": [{"name": "registry"}]}
    assert {"nodeSelector", "tolerations", "schedulerName"}.isdisjoint(pod())
    assert pod()["terminationGracePeriodSeconds"] == 120


def test_a_pull_policy_of_the_installation_holds_for_all_containers() -> None:
    told = job_manifest(REF, spec(), settings(image_pull_policy="Never"))["spec"]["template"]["spec"]
    assert {item["imagePullPolicy"] for item in containers(told).values()} == {"Never"}
    assert all("imagePullPolicy" not in item for item in containers(pod()).values())


@pytest.mark.parametrize(("name", "value"), [("endpoint", "https://x/"), ("run_as_user", 0)])
def test_settings_that_cannot_work_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        settings(**{name: value})
