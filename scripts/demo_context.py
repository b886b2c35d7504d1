"""
The demo on a cluster that the user has named: the chart, a claim of the default storage class, both examples.

Nothing is done before the user has said yes to the cluster by name and address. Images must be where that cluster can
pull them, given by digest.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from devcluster.build.go_build import binary_path, build_commands
from devcluster.cluster.kubectl import Kubectl
from scripts import deploy
from scripts.demo_display import CLAIM, NAMESPACE, Resource, apply_example, collect_example, console, timed_step

VIEWER_POD = "viewer"
VIEWER_UID = 65532
EXAMPLES = ("test.yaml", "quickstart.yaml")


def run_demo(context: str, images: deploy.Images, *, asked: bool = False, examples: Sequence[str] = EXAMPLES) -> None:
    """Asks, installs, renders, brings the output home. Raises SystemExit with the reason when that cannot be."""
    require_digests(images)
    with timed_step("kubectl and helm"):
        build_commands("kubectl", "helm")
    with tempfile.TemporaryDirectory() as folder:
        target = deploy.DeployTarget(single_context_kubeconfig(context, Path(folder)))
        if not (asked or confirm(context, server_address(target.kubeconfig))):
            raise SystemExit("nothing was done")
        with timed_step("chart"):
            deploy.install_chart(target, images)
            ensure_claim(target)
        for example in examples:
            with timed_step(f"examples/{example}"):
                bring = partial(copy_output, target.kubectl, images.runner, Path(folder))
                apply_example(target.kubectl, example)
                collect_example(target.kubectl, example, output_folder=bring, timeout=1200)


def require_digests(images: deploy.Images) -> None:
    """Raises SystemExit when an image is missing or could change under its name."""
    for variable, reference in (("OPERATOR_IMAGE", images.operator), ("RUNNER_IMAGE", images.runner)):
        if "@sha256:" not in reference:
            dockerfile = f"Dockerfile.{variable.partition('_')[0].lower()}"
            raise SystemExit(
                f"{variable}={reference!r} must be a reference by digest (registry/name@sha256:…) that the cluster can "
                f"pull: build {dockerfile} and push it to a registry of yours"
            )


def single_context_kubeconfig(context: str, folder: Path) -> Path:
    """A kubeconfig with this one context, so that nothing else can be meant by mistake."""
    command = [str(binary_path("kubectl")), "config", "view", "--raw", "--minify", "--flatten", f"--context={context}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"CONTEXT={context!r}: {done.stderr.strip()}; `kubectl config get-contexts` lists yours")
    file = folder / "kubeconfig"
    file.touch(mode=0o600)
    file.write_text(done.stdout)
    return file


def server_address(kubeconfig: Path) -> str:
    """The address of the cluster."""
    return Kubectl(kubeconfig)("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}")


def confirm(context: str, server: str) -> bool:
    """Whether the user says yes to what will be done where."""
    console.print(f"This installs the chart into namespace {deploy.NAMESPACE} of [bold]{context}[/bold] ({server})")
    console.print(f"and renders {' and '.join(EXAMPLES)} in namespace {NAMESPACE}.")
    return console.input("Continue? [y/N] ").strip().lower() in ("y", "yes")


def ensure_claim(target: deploy.DeployTarget) -> None:
    """The examples' claim, of the default storage class; one that exists is taken as it is."""
    deploy.ensure_namespace(target, NAMESPACE)
    if target.kubectl("get", "pvc", CLAIM, "-n", NAMESPACE, "--ignore-not-found"):
        return
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": CLAIM}, "spec": spec}
    target.kubectl.apply(claim, namespace=NAMESPACE)


def copy_output(kubectl: Kubectl, image: str, folder: Path, job: Resource) -> Path:
    """A copy of a job's output, fetched through a pod that mounts the claim for a moment."""
    name, uid = str(job["metadata"]["name"]), str(job["metadata"]["uid"])
    home = folder / uid
    with viewer_pod_running(kubectl, image):
        kubectl("cp", "-n", NAMESPACE, f"{VIEWER_POD}:/{CLAIM}/{name}/{uid}", str(home))
    return home


@contextmanager
def viewer_pod_running(kubectl: Kubectl, image: str) -> Iterator[None]:
    """A pod with the claim, gone afterwards: the claim may be mountable by one node at a time."""
    kubectl.apply(viewer_pod_manifest(image), namespace=NAMESPACE)
    try:
        kubectl("wait", f"pod/{VIEWER_POD}", "-n", NAMESPACE, "--for=condition=Ready", "--timeout=180s")
        yield
    finally:
        kubectl("delete", "pod", VIEWER_POD, "-n", NAMESPACE, "--wait=true", "--grace-period=1")


def viewer_pod_manifest(image: str) -> Resource:
    """The pod, acceptable under the restricted profile, as the user that published."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True}
    container = {
        "name": VIEWER_POD,
        "image": image,
        "command": ["sleep", "900"],
        "securityContext": security,
        "volumeMounts": [{"name": CLAIM, "mountPath": f"/{CLAIM}", "readOnly": True}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": VIEWER_POD},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": VIEWER_UID,
                "fsGroup": VIEWER_UID,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": [{"name": CLAIM, "persistentVolumeClaim": {"claimName": CLAIM}}],
        },
    }
