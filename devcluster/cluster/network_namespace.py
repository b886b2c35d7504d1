"""
The node's network: one namespace that nothing leaves, with fixed addresses inside.

The namespace is held by a mount on a file of the cluster's state folder. Programs enter it with `nsenter --net`, never
`ip netns exec`: that one mounts a new /sys and hides the cgroups from kubelet and containerd. The node's address is an
alias on `lo`, which works where the kernel has no dummy links.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from devcluster.build.debian import program_path
from devcluster.errors import StartFailed

NODE_IP = "10.99.0.1"
POD_RANGE = "10.244.0.0/24"
CLUSTER_RANGE = "10.244.0.0/16"
API_PORT, ETCD_PORT, ETCD_PEER_PORT = 6443, 2379, 2380
REGISTRY_ADDRESS = "127.0.0.1:5000"
S3_PORT, S3_ADMIN_PORT = 7070, 7071


@dataclass(frozen=True, slots=True)
class NetworkNamespace:
    """The network namespace behind one file."""

    file: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before a command so that it runs inside."""
        return (str(program_path("nsenter")), f"--net={self.file}", "--")

    @property
    def exists(self) -> bool:
        """Whether the namespace is there."""
        return str(self.file) in Path("/proc/self/mounts").read_text()

    def create(self) -> None:
        """Makes the namespace unless it is there."""
        if self.exists:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()
        _run(program_path("unshare"), f"--net={self.file}", "true")
        ip = program_path("ip")
        self.run(ip, "link", "set", "lo", "up")
        self.run(ip, "address", "replace", f"{NODE_IP}/32", "dev", "lo")
        self.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")

    def run(self, *command: str | Path) -> str:
        """Runs a short command inside and returns what it prints."""
        return _run(*self.prefix, *command)


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout
