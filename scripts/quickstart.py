"""
`make quickstart`: the first film, without a cluster.

`videojob run` renders examples/quickstart.yaml on this machine and shows its progress; then the mp4 and a contact sheet
lie in `demo-output/`. `make demo` does the same where it cannot have a node.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from videojob_api.contract.layout import MANIFEST
from videojob_runner.media.contact_sheet import write_contact_sheet

from scripts.demo_display import OUTPUT, ROOT, console

EXAMPLE = "quickstart"
FREE_BYTES_NEEDED = 200 * 10**6
"""Space for the job's working folder and what it publishes, with room to spare."""


def require_space(folder: Path, *, needed: int = FREE_BYTES_NEEDED) -> None:
    """Raises SystemExit, with the remedy, where the disk of `folder` has fewer than `needed` bytes left."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SystemExit(
            f"{folder} has {free // 10**6} MB left, the film needs {needed // 10**6} MB: free some space, "
            f"or clone the repository to a larger disk"
        )


def render_quickstart() -> list[Path]:
    """Renders the example; returns the video and the contact sheet. Raises SystemExit with the command's exit code."""
    require_space(ROOT)
    command = [sys.executable, "-m", "videojob_cli", "run", f"examples/{EXAMPLE}.yaml", "--output", str(OUTPUT)]
    done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    published = next(Path(line) for line in done.stdout.splitlines() if line.endswith(f"/{MANIFEST}")).parent
    return collect_film(published, OUTPUT)


def collect_film(published: Path, target: Path) -> list[Path]:
    """Copies the video of a published job to the folder `target` and draws the contact sheet beside it; both paths."""
    video, sheet = target / f"{EXAMPLE}.mp4", target / f"{EXAMPLE}.png"
    shutil.copy(next(published.glob("*.mp4")), video)
    write_contact_sheet(sorted((published / "frames").glob("*.png")), sheet)
    return [video, sheet]


def main() -> None:
    """Renders, and says where the film is."""
    begin = time.monotonic()
    video, sheet = render_quickstart()
    console.print(f"[bold green]The film, after {time.monotonic() - begin:.0f} s: {video}", soft_wrap=True)
    console.print(f"[bold green]All frames at one glance: {sheet}", soft_wrap=True)


if __name__ == "__main__":
    main()
