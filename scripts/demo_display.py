"""Examples on a cluster, drawn as they run: a bar for the live status, then what was made in `demo-output/`."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from videojob_runner.media.contact_sheet import write_contact_sheet

from devcluster.cluster.kubectl import Kubectl

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo-output"
NAMESPACE = "demo"
CLAIM = "videos"
DEMO_LABELS = {"app.kubernetes.io/managed-by": "make-demo"}
"""The label of the demo's jobs."""
console = Console()

Resource = dict[str, Any]


@contextmanager
def timed_step(title: str) -> Iterator[None]:
    """Prints a step and, at its end, its seconds."""
    begin = time.monotonic()
    console.rule(f"[bold]{title}", align="left")
    yield
    console.print(f"[green]{title}: {time.monotonic() - begin:.1f} s")


def find_condition(job: Resource, kind: str) -> Resource:
    """A condition of a VideoJob by type."""
    found = [item for item in job.get("status", {}).get("conditions", []) if item["type"] == kind]
    return dict(found[0]) if found else {}


def update_bar(progress: Progress, task: TaskID, job: Resource) -> None:
    """One version of the resource as a line of the progress bar."""
    status = job.get("status", {})
    now = status.get("progress", {})
    text = f"{status.get('state', 'Pending'):<10} {now.get('frames', ''):>7}  {now.get('message', '')}"
    progress.update(task, completed=now.get("percent", 0), status=text)


def follow_job(kubectl: Kubectl, name: str, *, timeout: float) -> Resource:
    """Draws a VideoJob's status until its verdict, which it returns."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"), TimeElapsedColumn())
    last: Resource = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"vj/{name}", total=100, status="")
        for last in kubectl.watch("vj", f"--namespace={NAMESPACE}", name=name, timeout=timeout):
            update_bar(progress, task, last)
            if find_condition(last, "Succeeded").get("status") in ("True", "False"):
                return last
    raise SystemExit(f"vj/{name} had no result within {timeout:.0f} s; last status: {json.dumps(last.get('status'))}")


def example_manifest(example: str) -> Resource:
    """The example as it is, with a mark that it is the demo's."""
    manifest: Resource = yaml.safe_load((ROOT / "examples" / example).read_text())
    manifest["metadata"]["labels"] = DEMO_LABELS
    return manifest


def apply_example(kubectl: Kubectl, example: str) -> None:
    """Applies an example anew: what an earlier demo left under its name goes first, but nothing that is the user's."""
    manifest, (mark,) = example_manifest(example), DEMO_LABELS.items()
    options = ("-l", "=".join(mark), f"--field-selector=metadata.name={manifest['metadata']['name']}")
    kubectl("delete", "vj", f"--namespace={NAMESPACE}", *options)
    kubectl.apply(manifest, namespace=NAMESPACE)


def collect_example(
    kubectl: Kubectl, example: str, *, output_folder: Callable[[Resource], Path], timeout: float
) -> None:
    """Follows an example that was begun, and brings home what `output_folder` says lies in its output folder."""
    end = follow_job(kubectl, example_manifest(example)["metadata"]["name"], timeout=timeout)
    verdict = find_condition(end, "Succeeded")
    if verdict["status"] != "True":
        raise SystemExit(f"{example}: {verdict['reason']}: {verdict['message']}")
    console.print(kubectl("get", "vj", "--namespace", NAMESPACE))
    copy_results(end, output_folder(end))


def copy_results(job: Resource, folder: Path) -> None:
    """Copies the videos, draws the contact sheet, writes the final resource."""
    name = job["metadata"]["name"]
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"{name}.yaml").write_text(yaml.safe_dump(job, sort_keys=False))
    for video in folder.glob("*.mp4"):
        shutil.copy(video, OUTPUT / f"{name}.mp4")
    write_contact_sheet(sorted((folder / "frames").glob("*.png")), OUTPUT / f"{name}.png")
    console.print(f"[bold]demo-output/{name}.mp4, demo-output/{name}.png, demo-output/{name}.yaml")
