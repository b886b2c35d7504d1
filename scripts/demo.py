"""
`make demo`: the product from nothing to a video, on a real cluster on this machine.

A node comes up, both images are built and pushed, the chart is installed, the examples are applied, and their live
status is drawn as it moves: first simulated frames (an mp4 within minutes, before there is a torch image), then the
quickstart with the shapes packs. mp4, contact sheet and the final resource land in `demo-output/`. Where no node can be
had, the reason is said and the same manifest is rendered by `videojob run`.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from videojob_runner.media.contact_sheet import contact_sheet

from devcluster.build import build
from devcluster.errors import NotPossibleHere
from devcluster.node import Node, the_node
from devcluster.versions import Group
from scripts import product

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo-output"
NAMESPACE = "demo"
ALREADY_BUILT = 3.0
"""Seconds in which an image that was built before is found again."""
console = Console()


@contextmanager
def step(title: str) -> Iterator[None]:
    """Prints a step and, at its end, its seconds."""
    begin = time.monotonic()
    console.rule(f"[bold]{title}", align="left")
    yield
    console.print(f"[green]{title}: {time.monotonic() - begin:.1f} s")


def condition(job: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of a VideoJob by type."""
    found = [item for item in job.get("status", {}).get("conditions", []) if item["type"] == kind]
    return dict(found[0]) if found else {}


def draw(progress: Progress, task: TaskID, job: dict[str, Any]) -> None:
    """One version of the resource as a line of the progress bar."""
    status = job.get("status", {})
    now = status.get("progress", {})
    text = f"{status.get('state', 'Pending'):<10} {now.get('frames', ''):>7}  {now.get('message', '')}"
    progress.update(task, completed=now.get("percent", 0), status=text)


def follow(node: Node, name: str, *, timeout: float) -> dict[str, Any]:
    """Draws a VideoJob's status until its verdict, which it returns."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[status]}"), TimeElapsedColumn())
    last: dict[str, Any] = {}
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"vj/{name}", total=100, status="")
        for last in node.kubectl.watch("vj", f"--namespace={NAMESPACE}", name=name, timeout=timeout):
            draw(progress, task, last)
            if condition(last, "Succeeded").get("status") in ("True", "False"):
                return last
    raise SystemExit(f"vj/{name} had no verdict within {timeout:.0f} s; last status: {json.dumps(last.get('status'))}")


def render(node: Node, volume: Path, example: str, *, timeout: float) -> None:
    """Applies an example, follows it, and brings its output home."""
    manifest = yaml.safe_load((ROOT / "examples" / example).read_text())
    node.kubectl.apply(manifest, namespace=NAMESPACE)
    end = follow(node, manifest["metadata"]["name"], timeout=timeout)
    verdict = condition(end, "Succeeded")
    if verdict["status"] != "True":
        raise SystemExit(f"{example}: {verdict['reason']}: {verdict['message']}")
    console.print(node.kubectl("get", "vj", "--namespace", NAMESPACE))
    bring_home(end, volume / end["metadata"]["name"] / end["metadata"]["uid"])


def bring_home(job: dict[str, Any], folder: Path) -> None:
    """Copies the videos, draws the contact sheet, writes the final resource."""
    name = job["metadata"]["name"]
    OUTPUT.mkdir(exist_ok=True)
    (OUTPUT / f"{name}.yaml").write_text(yaml.safe_dump(job, sort_keys=False))
    for video in folder.glob("*.mp4"):
        shutil.copy(video, OUTPUT / f"{name}.mp4")
    contact_sheet(sorted((folder / "frames").glob("*.png")), OUTPUT / f"{name}.png")
    console.print(f"[bold]demo-output/{name}.mp4, demo-output/{name}.png, demo-output/{name}.yaml")


def on_a_node() -> None:
    """The demo proper."""
    with step("parts of the cluster"):
        build(tuple(Group))
    node = the_node()
    try:
        with step("node"):
            node.up()
        with ThreadPoolExecutor(1) as pool:
            with step("operator image, runner image without torch"):
                light = product.light_images(node)
            perform(node, light, pool.submit(product.full_images, node))
    finally:
        with step("node stopped"):
            node.down()


def perform(node: Node, light: product.Images, building: Future[product.Images]) -> None:
    """Both examples: the simulated one while the image with torch is being built, unless that is there already."""
    wait([building], timeout=ALREADY_BUILT)
    images = building.result() if building.done() else light
    with step("chart"):
        product.install(node, images)
        volume = product.volume(node, namespace=NAMESPACE, claim="videos")
    with step("examples/test.yaml: simulated frames"):
        render(node, volume, "test.yaml", timeout=180)
    if images is light:
        with step("runner image with torch"):
            product.install(node, building.result())
    with step("examples/quickstart.yaml: VQGAN+CLIP with the shapes packs"):
        render(node, volume, "quickstart.yaml", timeout=600)


def without_a_node(reason: str) -> None:
    """The same manifest without a cluster."""
    console.print(f"[yellow]No cluster here: {reason}. Rendering examples/quickstart.yaml with `videojob run` instead.")
    command = [sys.executable, "-m", "videojob_cli", "run", "examples/quickstart.yaml", "--output", str(OUTPUT)]
    with step("videojob run examples/quickstart.yaml"):
        subprocess.run(command, cwd=ROOT, check=True)
    frames = next(OUTPUT.rglob("manifest.json")).parent / "frames"
    contact_sheet(sorted(frames.glob("*.png")), OUTPUT / "quickstart.png")


def main() -> None:
    """Chooses where the demo runs."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.parse_args()
    begin = time.monotonic()
    if platform.system() != "Linux":
        without_a_node(f"the node needs Linux, this is {platform.system()}")
    else:
        try:
            on_a_node()
        except NotPossibleHere as reason:
            without_a_node(str(reason))
    console.print(f"[bold green]demo: {time.monotonic() - begin:.0f} s altogether")


if __name__ == "__main__":
    main()
