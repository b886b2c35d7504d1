"""
Measures the house style: sizes of modules and functions, parameters, names, docstrings, broad excepts, asserts.

Run by `make check`; prints one line per breach and exits with 1 if there is any. The limits were derived from
well-regarded code bases (CONTRIBUTING.md, "House style").
"""

from __future__ import annotations

import ast
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scripts.name_rules import name_breaches

MODULE_LINES, MODULE_MEDIAN = 350, 150
FUNCTION_LINES, FUNCTION_MEDIAN, FUNCTION_P90 = 50, 10, 30
POSITIONAL_PARAMETERS = 5
PRODUCT = ("api", "operator", "agent", "runner", "cli", "devcluster", "packs", "scripts")
BROAD_EXCEPTS_ALLOWED = frozenset(
    {
        "operator/videojob_operator/reconcile/reconciler.py",  # one bad key must not stop the others
        "agent/videojob_agent/__main__.py",  # a termination message even when the agent crashes
        "runner/videojob_runner/process/main.py",  # every failure must become a STATUS line
    }
)

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Measurements:
    """Figures and breaches found in the product's sources."""

    modules: list[int] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)
    trees: dict[str, ast.Module] = field(default_factory=dict)
    """Syntax trees by path, relative to the repository."""


def iter_sources(root: Path) -> Iterator[Path]:
    """Yield every Python file of the product below `root`."""
    for folder in PRODUCT:
        yield from sorted(
            path for path in (root / folder).rglob("*.py") if not {".venv", "node_modules"} & set(path.parts)
        )


def function_breaches(where: str, node: FunctionNode) -> Iterator[str]:
    """Yield breaches of the limits for length and parameters of one function."""
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if length > FUNCTION_LINES:
        yield f"{where}:{node.lineno} {node.name}: {length} lines (at most {FUNCTION_LINES})"
    positional = [arg for arg in node.args.posonlyargs + node.args.args if arg.arg not in ("self", "cls")]
    if len(positional) > POSITIONAL_PARAMETERS:
        count = len(positional)
        yield f"{where}:{node.lineno} {node.name}: {count} positional parameters (at most {POSITIONAL_PARAMETERS})"


def is_broad_except(handler: ast.ExceptHandler) -> bool:
    """True if an except clause catches every exception."""
    return handler.type is None or (
        isinstance(handler.type, ast.Name) and handler.type.id in ("Exception", "BaseException")
    )


def measure_module(path: Path, name: str, seen: Measurements) -> None:
    """Add the figures and breaches of one module to `seen`."""
    text = path.read_text()
    tree, lines = ast.parse(text), text.count("\n")
    seen.modules.append(lines)
    seen.trees[name] = tree
    if lines > MODULE_LINES:
        seen.breaches.append(f"{name}: {lines} lines (at most {MODULE_LINES})")
    if lines > 1 and not ast.get_docstring(tree):
        seen.breaches.append(f"{name}: no module docstring")
    for node in ast.walk(tree):
        if isinstance(node, FunctionNode):
            seen.functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
            seen.breaches.extend(function_breaches(name, node))
        elif isinstance(node, ast.ExceptHandler) and is_broad_except(node) and name not in BROAD_EXCEPTS_ALLOWED:
            seen.breaches.append(f"{name}:{node.lineno}: broad except (only at the outermost loops)")
        elif isinstance(node, ast.Assert):
            seen.breaches.append(f"{name}:{node.lineno}: assert in product code (raise a typed error)")


def median_breaches(seen: Measurements) -> Iterator[str]:
    """Yield breaches of the limits for medians and percentiles."""
    if len(seen.functions) < 50:  # a handful has no distribution worth a budget
        return
    p90 = statistics.quantiles(seen.functions, n=10)[-1]
    for label, value, limit in (
        ("median lines per module", statistics.median(seen.modules), MODULE_MEDIAN),
        ("median lines per function", statistics.median(seen.functions), FUNCTION_MEDIAN),
        ("90th percentile of lines per function", p90, FUNCTION_P90),
    ):
        if value > limit:
            yield f"{label}: {value:.0f} (at most {limit})"


def main() -> int:
    """Measure this repository; return 1 if there are breaches."""
    root, seen = Path(__file__).resolve().parent.parent, Measurements()
    for path in iter_sources(root):
        measure_module(path, str(path.relative_to(root)), seen)
    seen.breaches.extend(median_breaches(seen))
    seen.breaches.extend(name_breaches(seen.trees))
    for breach in seen.breaches:
        print(breach)
    modules, functions = statistics.median(seen.modules), statistics.median(seen.functions or [0])
    print(f"{len(seen.modules)} modules (median {modules:.0f} lines), {len(seen.functions)} functions", end=" ")
    print(f"(median {functions:.0f}): {len(seen.breaches)} breaches")
    return 1 if seen.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
