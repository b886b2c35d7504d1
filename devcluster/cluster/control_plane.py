"""
etcd, kube-apiserver and, where wanted, controller manager and scheduler, as daemons of one state folder.

Both levels use it: on loopback with ports of its own, or inside the node's network namespace with the usual ports.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from devcluster.build.go_build import binary_path
from devcluster.cluster import kubeconfig
from devcluster.cluster.pki import CertificateAuthority
from devcluster.host.daemons import Daemons
from devcluster.host.wait import wait_until

SERVICE_RANGE = "10.96.0.0/16"
KUBERNETES_SERVICE_IP = "10.96.0.1"
ISSUER = "https://kubernetes.default.svc"
READY_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """How one control plane is reached and started."""

    folder: Path
    daemons: Daemons
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    bind: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    """Further names and addresses the API server answers to."""

    api_flags: tuple[str, ...] = field(default=())

    @property
    def authority(self) -> CertificateAuthority:
        """The cluster's certificate authority."""
        return CertificateAuthority(self.folder / "pki")

    @property
    def server(self) -> str:
        """The API server's URL for clients on the same network."""
        return f"https://127.0.0.1:{self.api_port}"

    def create_kubeconfig(self, name: str, *, user: str, groups: Sequence[str] = (), server: str | None = None) -> Path:
        """Writes `name`.kubeconfig, which acts as `user` in `groups`, and returns its path."""
        client = self.authority.issue(name, user=user, groups=groups)
        return kubeconfig.write_kubeconfig(
            self.folder / f"{name}.kubeconfig",
            server=server or self.server,
            authority=self.authority.certificate,
            client=client,
        )

    def start(self) -> None:
        """Starts etcd and the API server; `wait_ready` says when they are ready."""
        self.authority.create()
        self.daemons.start("etcd", self._etcd())
        self.daemons.start("apiserver", self._apiserver())

    def wait_ready(self, *, port: int) -> None:
        """Returns when the API server, reached at loopback `port`, is ready; raises StartFailed with its log."""
        client = self.authority.issue("probe", user="probe", groups=["system:masters"])
        trust = ssl.create_default_context(cafile=str(self.authority.certificate))
        trust.load_cert_chain(client.certificate, client.key)
        wait_until(
            "the API server",
            partial(self._ready, trust, port),
            seconds=READY_TIMEOUT_SECONDS,
            explain=partial(self.daemons.log_tail, "apiserver"),
        )

    def start_controllers(self, *flags: str) -> None:
        """Starts the controller manager."""
        tokens, login = (
            self.authority.service_account_keys(),
            self.create_kubeconfig("controllers", user="system:kube-controller-manager"),
        )
        ca = self.authority.certificate
        self.daemons.start(
            "controllers",
            [
                binary_path("kube-controller-manager"),
                f"--kubeconfig={login}",
                "--leader-elect=false",
                "--use-service-account-credentials",
                f"--service-account-private-key-file={tokens.key}",
                f"--root-ca-file={ca}",
                f"--cluster-signing-cert-file={ca}",
                f"--cluster-signing-key-file={ca.with_suffix('.key')}",
                *self._no_ports_of_their_own("controllers"),
                *flags,
            ],
        )

    def start_scheduler(self) -> None:
        """Starts the scheduler."""
        login = self.create_kubeconfig("scheduler", user="system:kube-scheduler")
        self.daemons.start(
            "scheduler",
            [
                binary_path("kube-scheduler"),
                f"--kubeconfig={login}",
                "--leader-elect=false",
                *self._no_ports_of_their_own("scheduler"),
            ],
        )

    def _ready(self, trust: ssl.SSLContext, port: int) -> bool:
        for name in ("etcd", "apiserver"):
            self.daemons.check_running(name)
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=5, context=trust)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    def _no_ports_of_their_own(self, name: str) -> list[str]:
        # Health and metrics ports would collide between control planes that stand side by side.
        return ["--secure-port=0", f"--cert-dir={self.folder / name}"]

    def _etcd(self) -> list[str | Path]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self.etcd_port, self.etcd_peer_port))
        return [
            binary_path("etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            "--unsafe-no-fsync",
            "--log-level=warn",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        ]

    def _apiserver(self) -> list[str | Path]:
        names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
        addresses = ("127.0.0.1", KUBERNETES_SERVICE_IP)
        served = self.authority.issue("apiserver", user="kube-apiserver", hosts=(*names, *addresses, *self.hosts))
        tokens = self.authority.service_account_keys()
        return [
            binary_path("kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            f"--secure-port={self.api_port}",
            f"--bind-address={self.bind}",
            f"--tls-cert-file={served.certificate}",
            f"--tls-private-key-file={served.key}",
            f"--client-ca-file={self.authority.certificate}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={tokens.certificate}",
            f"--service-account-signing-key-file={tokens.key}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--allow-privileged=true",
            *self.api_flags,
        ]
