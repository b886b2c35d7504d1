"""
The command line: build, up, down, status, purge, kubectl, env.

Every command names a cluster by level and name; answers go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from devcluster import apilevel, paths
from devcluster.build import binary, build
from devcluster.errors import DevclusterError
from devcluster.steps import say, step
from devcluster.versions import Group


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it worked, 1 with the reason on stderr when not."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except DevclusterError as error:
        say(f"devcluster: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="A real Kubernetes cluster for tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    building = commands.add_parser("build", help="build what is missing")
    building.add_argument("--level", choices=["api", "node"], default="node", help="what it is for (default: node)")
    building.set_defaults(command=_build)
    for name, command, text in (
        ("up", _up, "start a cluster; prints the path of its kubeconfig"),
        ("down", _down, "stop a cluster and keep its data"),
        ("purge", _purge, "stop a cluster and remove its data"),
        ("kubectl", _kubectl, "run kubectl against a cluster"),
        ("env", _env, "print shell lines that point KUBECONFIG and PATH at a cluster"),
    ):
        one = commands.add_parser(name, help=text)
        one.add_argument("--level", choices=["api"], default="api")
        one.add_argument("--name", help="API level: which of the clusters (default: 'default'; purge: all)")
        one.set_defaults(command=command)
        if name == "up":
            one.add_argument("--controllers", action="store_true", help="API level: also the controller manager")
        if name == "kubectl":
            one.add_argument("rest", nargs=argparse.REMAINDER)
    commands.add_parser("status", help="list the clusters").set_defaults(command=_status)
    return parser


def _build(parsed: argparse.Namespace) -> None:
    build([Group.API] if parsed.level == "api" else tuple(Group))


def _up(parsed: argparse.Namespace) -> None:
    build([Group.API])
    cluster = _cluster(parsed)
    with step(f"{cluster.folder.name} ready"):
        cluster.start(controllers=parsed.controllers)
    print(cluster.kubeconfig)


def _down(parsed: argparse.Namespace) -> None:
    _cluster(parsed).stop()


def _purge(parsed: argparse.Namespace) -> None:
    for cluster in [_cluster(parsed)] if parsed.name else _all():
        cluster.purge()


def _kubectl(parsed: argparse.Namespace) -> None:
    command = str(binary("kubectl"))
    cluster = _cluster(parsed)
    sys.stdout.flush()
    os.execv(command, [command, f"--kubeconfig={cluster.kubeconfig}", *parsed.rest])  # noqa: S606 - kubectl takes over the terminal


def _env(parsed: argparse.Namespace) -> None:
    print(f"export KUBECONFIG={_cluster(parsed).kubeconfig}")
    print(f"export PATH={binary('kubectl').parent}:$PATH")


def _status(_: argparse.Namespace) -> None:
    for cluster in _all():
        print(f"{cluster.folder.name}\t{'running' if cluster.running else 'stopped'}\t{cluster.kubeconfig}")


def _cluster(parsed: argparse.Namespace) -> apilevel.ApiServer:
    return apilevel.named(parsed.name or "default")


def _all() -> list[apilevel.ApiServer]:
    return [apilevel.ApiServer(folder) for folder in sorted(paths.clusters().iterdir())]
