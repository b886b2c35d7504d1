"""
Writes the diagram of the packages' layers into CONTRIBUTING.md, from the import rules in `pyproject.toml`.

`python -m scripts.layers` rewrites it; a unit test fails when it is out of date.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- layers: python -m scripts.layers -->\n", "<!-- /layers -->\n"
MAX_LINE_CHARS = 110


def render_layers(pyproject: str) -> str:
    """Return a text block with the layers of each package, importing modules above imported ones."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    blocks = [_render_package(each["containers"][0], each["layers"]) for each in contracts if each["type"] == "layers"]
    return "```text\n" + "\n\n".join(blocks) + "\n```\n"


def _render_package(package: str, layers: list[str]) -> str:
    lines = [f"{package}", "   "]
    for layer in layers:
        part = f" {layer.replace(' | ', ', ')} >"
        if len(lines[-1]) + len(part) > MAX_LINE_CHARS:
            lines.append("   ")
        lines[-1] += part
    return "\n".join(lines).removesuffix(" >")


def insert_layers(document: str, diagram: str) -> str:
    """Replace the text between the two markers. Raise ValueError if a marker is missing."""
    head, rest = _split(document, BEGIN)
    _, tail = _split(rest, END)
    return f"{head}{BEGIN}{diagram}{END}{tail}"


def _split(text: str, marker: str) -> tuple[str, str]:
    before, found, after = text.partition(marker)
    if not found:
        raise ValueError(f"the document has no line {marker.strip()!r}")
    return before, after


def main() -> None:
    """Rewrite the diagram in CONTRIBUTING.md."""
    path = ROOT / "CONTRIBUTING.md"
    diagram = render_layers((ROOT / "pyproject.toml").read_text())
    path.write_text(insert_layers(path.read_text(), diagram))


if __name__ == "__main__":
    main()
