"""kubectl as a function."""

from __future__ import annotations

import json
import secrets
import subprocess
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devcluster.build.go_build import binary_path
from devcluster.errors import DevclusterError
from devcluster.host.wait import wait_until


class KubectlError(DevclusterError):
    """kubectl ended with an error; `stderr` is what it said."""

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        super().__init__(f"kubectl {' '.join(arguments)}: {stderr.strip()}")
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with one kubeconfig."""

    kubeconfig: Path

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs kubectl and returns what it prints; raises KubectlError with what it complains about."""
        command = [str(binary_path("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KubectlError(arguments, done.stderr)
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What kubectl prints with `-o json`, parsed."""
        return json.loads(self(*arguments, "-o", "json"))

    def apply(self, *documents: dict[str, Any], namespace: str | None = None) -> str:
        """Applies `documents`; JSON is YAML, so kubectl takes them as they are."""
        where = [f"--namespace={namespace}"] if namespace else []
        return self("apply", *where, "-f", "-", stdin="\n---\n".join(json.dumps(each) for each in documents))

    def wait_established(self, definition: str) -> None:
        """Waits until a CustomResourceDefinition is served. At first it has no conditions, on which a jsonpath errs."""

        def is_established() -> bool:
            conditions = self.json("get", "crd", definition).get("status", {}).get("conditions") or ()
            return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)

        wait_until(f"crd/{definition}", is_established, seconds=30)

    def watch(self, kind: str, *options: str, name: str | None = None, timeout: float) -> Iterator[dict[str, Any]]:
        """
        Every version of the objects of a kind (one `name`, or what `options` select), for at most `timeout` seconds.

        A single object is selected by its name, never asked for by it: `kubectl get KIND NAME --watch` reads it, then
        watches from version 0 and drops the first event, and with it what changed between the two calls.
        """
        one = [f"--field-selector=metadata.name={name}"] if name else []
        binary_and_login = [str(binary_path("kubectl")), f"--kubeconfig={self.kubeconfig}"]
        command = [*binary_and_login, "get", kind, *one, *options, "--watch", "-o", "json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            limit = threading.Timer(timeout, process.kill)
            limit.start()
            try:
                yield from _documents(process.stdout or ())
            finally:
                limit.cancel()
                process.kill()

    @contextmanager
    def namespace(self, prefix: str = "test") -> Iterator[str]:
        """A fresh namespace for the length of a `with` block; its deletion is asked for, not waited for."""
        name = f"{prefix}-{secrets.token_hex(3)}"
        self("create", "namespace", name)
        try:
            yield name
        finally:
            self("delete", "namespace", name, "--wait=false")


def _documents(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The JSON documents that kubectl writes one after the other while it watches."""
    document: list[str] = []
    for line in lines:
        document.append(line)
        if line == "}\n":  # kubectl indents everything but the outermost brace
            yield json.loads("".join(document))
            document = []
