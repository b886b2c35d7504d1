"""The operator as a real process with its real rights, on a real API server with its controllers; no node."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

import devcluster
from devcluster.build.go_build import binary_path
from devcluster.host.ports import free_ports
from tests.support.timeouts import Timeout

ROOT = Path(__file__).resolve().parents[3]
SYSTEM = "videojob-system"
RELEASE = "videojob"
"""Name of the release, and of everything it makes."""
Manifest = dict[str, Any]


def render_chart(*options: str, release: str = RELEASE, root: Path = ROOT) -> list[Manifest]:
    """The objects of the chart in the repository at `root`."""
    chart, where = str(root / "helm" / "videojob"), ("--namespace", SYSTEM, "--kube-version", "1.34.4")
    command = [str(binary_path("helm")), "template", release, chart, *where]
    text = subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout
    return [document for document in yaml.safe_load_all(text) if document]


@dataclass
class HttpResponse:
    """What the report endpoint said."""

    code: int
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class OperatorProcess:
    """A running operator and the cluster around it."""

    cluster: devcluster.ApiServer
    status_port: int
    metrics_port: int
    log: Path
    environment: dict[str, str]
    root: Path = ROOT
    """The repository whose operator runs."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Starts the operator and waits until it is ready."""
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "videojob_operator"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.root)
        self.wait_until(lambda: self.probe("readyz")[0] == 200, what="the operator is ready", seconds=60)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        code, self.process = self.process.wait(timeout=30), None
        return code

    def probe(self, path: str) -> tuple[int, str]:
        """Status and text of /healthz, /readyz or /metrics; 0 when nobody answers."""
        try:
            with _opener().open(f"http://127.0.0.1:{self.metrics_port}/{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """One sample; 0 when it is not there."""
        wanted = "{" + ",".join(f'{key}="{value}"' for key, value in sorted(labels.items())) + "}" if labels else ""
        found = re.search(rf"^{re.escape(name + wanted)} (\S+)$", self.probe("metrics")[1], re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    def post(self, videojob: Manifest, *, token: str, body: bytes | None = None, **report: Any) -> HttpResponse:
        """Sends a report for a VideoJob as its agent would, trusting only the operator's own CA."""
        meta = videojob["metadata"]
        url = (
            f"https://localhost:{self.status_port}/v1/namespaces/{meta['namespace']}/videojobs/{meta['name']}/progress"
        )
        data = body if body is not None else json.dumps(report_body(meta["uid"], **report)).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(url, data=data, headers=headers, method="POST")
        try:
            with _opener(self.trust).open(request, timeout=10) as answer:
                return HttpResponse(answer.status, dict(answer.headers), {})
        except urllib.error.HTTPError as error:
            return HttpResponse(error.code, dict(error.headers), json.loads(error.read() or b"{}"))

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """A client context that knows the operator's CA; the operator must have started."""
        secret = self.cluster.kubectl.json("-n", SYSTEM, "get", "secret", f"{RELEASE}-tls")
        context = ssl.create_default_context(cadata=base64.b64decode(secret["data"]["ca.crt"]).decode())
        context.check_hostname = False  # it is called videojob, not localhost
        return context

    def wait_until(self, true: Callable[[], Any], *, what: str, seconds: float = 20) -> Any:
        """Waits for something to become true and returns it."""
        end = time.monotonic() + seconds
        while not (found := true()):
            if self.process is not None and self.process.poll() is not None:
                raise Timeout(f"the operator ended with {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > end:
                raise Timeout(f"not within {seconds:.0f} s: {what}\n{self.tail()}")
            time.sleep(0.1)
        return found

    def tail(self) -> str:
        """The end of the operator's log."""
        return self.log.read_text()[-3000:]


def report_body(uid: str, **more: Any) -> dict[str, Any]:
    """A report in the middle of the work."""
    report = {"uid": uid, "sequence": 1, "state": "running", "percent": 10, "observedTime": "2026-01-01T00:00:00Z"}
    return report | more


def _opener(context: ssl.SSLContext | None = None) -> urllib.request.OpenerDirector:
    """Without proxies, whatever the environment says."""
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def install_chart(cluster: devcluster.ApiServer, *options: str, root: Path = ROOT) -> None:
    """Applies what the chart renders, as `helm install` would."""
    cluster.kubectl("create", "namespace", SYSTEM)
    documents = render_chart(*options, root=root)
    crds = [each for each in documents if each["kind"] == "CustomResourceDefinition"]
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(crds[0]))
    cluster.kubectl.wait_established("videojobs.videojobs.dev")
    cluster.kubectl.apply(
        *(each for each in documents if each["kind"] not in ("CustomResourceDefinition", "Deployment"))
    )


def with_port(kubeconfig: Path, copy: Path, *, port: int) -> Path:
    """A copy of a kubeconfig that goes to another port."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
    copy.write_text(yaml.safe_dump(config))
    return copy


@contextmanager
def run_operator(
    cluster: devcluster.ApiServer,
    log: Path,
    settings: Mapping[str, str],
    *,
    through: int | None = None,
    name: str = RELEASE,
    root: Path = ROOT,
) -> Iterator[OperatorProcess]:
    """The operator called `name` under the account its chart makes, until the block ends; `through`: a relay's port."""
    account = cluster.create_kubeconfig(f"system:serviceaccount:{SYSTEM}:{name}")
    if through is not None:
        account = with_port(account, log.parent / "kubeconfig", port=through)
    status_port, metrics_port = free_ports(2)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(root / part) for part in ("api", "operator")),
        "KUBECONFIG": str(account),
        "VIDEOJOB_NAMESPACE": SYSTEM,
        "VIDEOJOB_SERVICE": name,
        "VIDEOJOB_TLS_SECRET": f"{name}-tls",
        "VIDEOJOB_AGENT_IMAGE": "registry.example/operator:1",
        "VIDEOJOB_RUNNER_IMAGE": "registry.example/runner:1",
        "VIDEOJOB_BIND": "127.0.0.1",
        "VIDEOJOB_STATUS_PORT": str(status_port),
        "VIDEOJOB_METRICS_PORT": str(metrics_port),
    } | {f"VIDEOJOB_{name.upper()}": value for name, value in settings.items()}
    plant = OperatorProcess(cluster, status_port, metrics_port, log, environment, root)
    plant.start()
    try:
        yield plant
    finally:
        if plant.process is not None:
            plant.process.kill()
            plant.process.wait()
