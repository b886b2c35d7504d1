"""
The command line: build, up, down, purge, status, kubectl, env, image, s3-user.

A cluster is named by its level, and at the API-server level by a name. Answers go to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from devcluster import paths
from devcluster.build import debian
from devcluster.build.go_build import binary_path, build
from devcluster.cluster.api_server import ApiServer, named_api_server
from devcluster.cluster.node import DEFAULT_EXTENDED_RESOURCES, Node, default_node, require_node_level
from devcluster.errors import DevclusterError
from devcluster.host.progress import log_line, timed_step
from devcluster.versions import ComponentGroup

Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; 0 when it worked, 1 with the reason on stderr when not."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except DevclusterError as error:
        log_line(f"devcluster: {error}")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devcluster", description="A real Kubernetes cluster for tests.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(command=command)
        return one

    def add_for_a_cluster(name: str, command: Command, text: str) -> argparse.ArgumentParser:
        one = add(name, command, text)
        one.add_argument("--level", choices=["api", "node"], help="default: api when --name is given, else node")
        one.add_argument("--name", help="which of the API-server level clusters")
        return one

    add("build", _build, "build what is missing").add_argument("--level", choices=["api", "node"], default="node")
    up = add_for_a_cluster("up", _up, "start a cluster and print the path of its kubeconfig")
    up.add_argument("--controllers", action="store_true", help="API-server level: also the controller manager")
    up.add_argument("--extended", action="append", metavar="NAME=COUNT", help="node level: simulated devices")
    add_for_a_cluster("down", _down, "stop a cluster and keep its data")
    add_for_a_cluster("purge", _purge, "stop a cluster and remove its data; without --level and --name: every cluster")
    add("status", _status, "list the clusters")
    kubectl = add_for_a_cluster("kubectl", _kubectl, "run kubectl against a cluster")
    kubectl.add_argument("rest", nargs=argparse.REMAINDER)
    add_for_a_cluster("env", _env, "print shell lines that point KUBECONFIG and PATH at a cluster")
    _add_image(add("image", _image, "build and push an image for the node; prints its reference by digest"))
    user = add("s3-user", _s3_user, "create an S3 user with its own bucket; prints the endpoint for pods")
    for field in ("user", "secret", "bucket"):
        user.add_argument(field)
    return parser


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dockerfile", type=Path)
    parser.add_argument("tag")
    parser.add_argument("--context", type=Path, help="build context (default: the Dockerfile's folder)")
    parser.add_argument("--target")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")


def _build(parsed: argparse.Namespace) -> None:
    if parsed.level == "api":
        build([ComponentGroup.API, ComponentGroup.TESTS])
        return
    debian.install_packages()
    build()


def _up(parsed: argparse.Namespace) -> None:
    cluster = _cluster(parsed)
    if isinstance(cluster, Node):
        require_node_level()
        _build(argparse.Namespace(level="node"))
        cluster.start(extended=_counts(parsed.extended) if parsed.extended else DEFAULT_EXTENDED_RESOURCES)
    else:
        build([ComponentGroup.API])
        with timed_step(f"{cluster.folder.name} ready"):
            cluster.start(controllers=parsed.controllers)
    print(cluster.kubeconfig)


def _down(parsed: argparse.Namespace) -> None:
    cluster = _cluster(parsed)
    with timed_step(f"{cluster.folder.name} stopped"):
        cluster.stop()


def _purge(parsed: argparse.Namespace) -> None:
    for cluster in [_cluster(parsed)] if parsed.level or parsed.name else _all():
        with timed_step(f"{cluster.folder.name} stopped and removed"):
            cluster.purge()


def _kubectl(parsed: argparse.Namespace) -> None:
    command = str(binary_path("kubectl"))
    sys.stdout.flush()
    arguments = [command, f"--kubeconfig={_cluster(parsed).kubeconfig}", *parsed.rest]
    os.execv(command, arguments)  # noqa: S606 - kubectl takes over the terminal


def _env(parsed: argparse.Namespace) -> None:
    programs = shlex.quote(str(binary_path("kubectl").parent))
    print(f"export KUBECONFIG={shlex.quote(str(_cluster(parsed).kubeconfig))}\nexport PATH={programs}:$PATH")


def _image(parsed: argparse.Namespace) -> None:
    arguments = dict(pair.split("=", 1) for pair in parsed.build_arg)
    images = default_node().images
    print(
        images.build(parsed.dockerfile, parsed.tag, context=parsed.context, target=parsed.target, build_args=arguments)
    )


def _s3_user(parsed: argparse.Namespace) -> None:
    s3 = default_node().s3
    s3.create_user(parsed.user, secret=parsed.secret, bucket=parsed.bucket)
    print(s3.endpoint)


def _status(_: argparse.Namespace) -> None:
    for cluster in _all():
        print(f"{cluster.folder.name}\t{'running' if cluster.running else 'stopped'}\t{cluster.kubeconfig}")


def _counts(pairs: Sequence[str]) -> dict[str, int]:
    return {name: int(count) for name, count in (pair.split("=", 1) for pair in pairs)}


def _cluster(parsed: argparse.Namespace) -> ApiServer | Node:
    level = parsed.level or ("api" if parsed.name else "node")
    return default_node() if level == "node" else named_api_server(parsed.name or "default")


def _all() -> list[ApiServer | Node]:
    node = default_node()
    folders = sorted(paths.clusters_folder().iterdir())
    return [node if folder == node.folder else ApiServer(folder) for folder in folders]
