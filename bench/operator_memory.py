"""
How much memory the operator takes: at rest, and with jobs that run and report.

    python -m bench.operator_memory [--jobs 50]

A real API server with its controllers, the operator as a process of its own, a kubelet of straw. Printed as one line of
JSON; megabytes are resident set sizes as the kernel counts them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import devcluster
from bench.process import cpu_seconds, megabytes
from tests.apiserver.operator.fake_kubelet import FakeKubelet
from tests.apiserver.operator.operator_process import OperatorProcess, install_chart, run_operator
from tests.apiserver.operator.tokens import TokenMint, audience
from tests.e2e.kube import Kube
from tests.e2e.manifests import videojob


def run_jobs(plant: OperatorProcess, kube: Kube, count: int) -> float:
    """Starts `count` jobs, lets each pod run and report twice; seconds until all statuses show progress."""
    names = [f"job-{number}" for number in range(count)]
    began = time.monotonic()
    kube.apply(*(videojob(name) for name in names))
    kubelet, tokens = FakeKubelet(kube), TokenMint(kube)
    for name in names:
        kubelet.starts(kubelet.pod_of(name, timeout=120))
    jobs = {each["metadata"]["name"]: each for each in json.loads(kube.run("get", "vj", "-o", "json"))["items"]}
    pods = {each["metadata"]["labels"]["videojobs.dev/name"]: each for each in kube.items("pods")}
    held = {name: tokens.bound_to(pods[name]["metadata"]["name"], audience=audience(jobs[name])) for name in names}
    for sequence in (1, 2):
        for name in names:
            while plant.post(jobs[name], token=held[name], sequence=sequence, percent=sequence * 10).code == 429:
                time.sleep(0.2)
    plant.wait_until(lambda: jobs_with_progress(kube) == count, what="all progress is shown", seconds=120)
    return time.monotonic() - began


def jobs_with_progress(kube: Kube) -> int:
    """How many VideoJobs show the second report."""
    items = json.loads(kube.run("get", "vj", "-o", "json"))["items"]
    return sum(each["status"].get("progress", {}).get("percent") == 20 for each in items)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=50)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as folder, devcluster.api_server(controllers=True) as cluster:
        install_chart(cluster)
        with run_operator(cluster, Path(folder) / "log", {}) as plant, cluster.kubectl.namespace() as namespace:
            time.sleep(5)
            assert plant.process is not None
            operator = plant.process.pid
            idle, before = megabytes(operator), cpu_seconds(operator)
            kube = Kube(cluster.kubectl, namespace)
            kube.run("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
            seconds = run_jobs(plant, kube, jobs)
            busy = {"jobs": jobs, "seconds": round(seconds, 1), "cpu_seconds": round(cpu_seconds(operator) - before, 1)}
            print(json.dumps({"idle_mb": idle, "with_jobs_mb": megabytes(operator), **busy}))


if __name__ == "__main__":
    main()
