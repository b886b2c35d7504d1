"""
`make demo`: the product from nothing to a video, on a real cluster on this machine.

A node comes up, both images are built and pushed, the chart is installed, the examples are applied, and their live
status is drawn as it moves: first simulated frames (an mp4 within minutes, before there is a torch image), then the
quickstart with the shapes packs. mp4, contact sheet and the final resource land in `demo-output/`. Where no node can be
had, the reason is said and the same manifest is rendered by `videojob run`.

`make demo CONTEXT=name OPERATOR_IMAGE=… RUNNER_IMAGE=…` shows the same on a cluster of the user's; a mere `KUBECONFIG`
in the shell is never touched.
"""

from __future__ import annotations

import argparse
import platform
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from devcluster.build.go_build import build
from devcluster.cluster.node import CLUSTER_GROUPS, Node, default_node, require_node_level
from devcluster.errors import Unsupported
from scripts import demo_context, deploy
from scripts.demo_display import (
    CLAIM,
    NAMESPACE,
    Resource,
    apply_example,
    collect_example,
    console,
    timed_step,
)
from scripts.quickstart import render_quickstart

WARM_BUILD_SECONDS = 3.0
"""Seconds in which an image that was built before is found again."""


def run_on_node() -> None:
    """The demo proper."""
    require_node_level()
    node = default_node()
    with timed_step("parts of the cluster, and layers of the runner image with torch"), ThreadPoolExecutor(1) as pool:
        pool.submit(
            deploy.prebuild_runner_layers, node
        )  # where it fails, the node, or the build that needs it, says why
        build(CLUSTER_GROUPS)
    try:
        with timed_step("node"):
            node.start(has_s3=False)
        with ThreadPoolExecutor(1) as pool:
            with timed_step("operator image, runner image without torch"):
                light = deploy.build_contract_images(node)
            run_examples(node, light, pool.submit(deploy.build_images, node))
    finally:
        with timed_step("node stopped"):
            node.stop()


def run_examples(node: Node, light: deploy.Images, building: Future[deploy.Images]) -> None:
    """Both examples: the simulated one while the image with torch is being built; both at once if that is there."""
    wait([building], timeout=WARM_BUILD_SECONDS)
    images = building.result() if building.done() else light
    with timed_step("chart"):
        deploy.install_chart(deploy.node_target(node), images)
        volume = deploy.create_volume(node, namespace=NAMESPACE, claim=CLAIM)

    def output_folder(job: Resource) -> Path:
        return volume / str(job["metadata"]["name"]) / str(job["metadata"]["uid"])

    if images is not light:
        apply_example(node.kubectl, "quickstart.yaml")
    with timed_step("examples/test.yaml: simulated frames"):
        apply_example(node.kubectl, "test.yaml")
        collect_example(node.kubectl, "test.yaml", output_folder=output_folder, timeout=180)
    if images is light:
        with timed_step("runner image with torch"):
            deploy.install_chart(deploy.node_target(node), building.result())
        apply_example(node.kubectl, "quickstart.yaml")
    with timed_step("examples/quickstart.yaml: VQGAN+CLIP with the shapes packs"):
        collect_example(node.kubectl, "quickstart.yaml", output_folder=output_folder, timeout=600)


def run_without_node(reason: str) -> None:
    """The same manifest without a cluster."""
    console.print(f"[yellow]No cluster here: {reason}. Rendering examples/quickstart.yaml with `videojob run` instead.")
    with timed_step("videojob run examples/quickstart.yaml"):
        console.print("[bold]" + ", ".join(map(str, render_quickstart())), soft_wrap=True)


def run_on_this_machine() -> None:
    """On a node of our own if there can be one."""
    if platform.system() != "Linux":
        run_without_node(f"the node needs Linux, this is {platform.system()}")
        return
    try:
        run_on_node()
    except Unsupported as reason:
        run_without_node(str(reason))


def main() -> None:
    """Chooses where the demo runs."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--context", help="context of your kubeconfig: run the demo on that cluster")
    parser.add_argument("--operator-image", default="", help="with --context: Dockerfile.operator, by digest")
    parser.add_argument("--runner-image", default="", help="with --context: Dockerfile.runner, by digest")
    parser.add_argument("--yes", action="store_true", help="with --context: do not ask for confirmation")
    args = parser.parse_args()
    begin = time.monotonic()
    if args.context:
        images = deploy.Images(args.operator_image, args.runner_image)
        demo_context.run_demo(args.context, images, asked=args.yes)
    else:
        run_on_this_machine()
    console.print(f"[bold green]demo: {time.monotonic() - begin:.0f} s in total")


if __name__ == "__main__":
    main()
