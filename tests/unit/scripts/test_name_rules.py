"""The rules about names: what they refuse, and that their lists of exceptions can only shrink."""

import ast
from pathlib import Path

import pytest

from scripts.check_budgets import iter_sources
from scripts.name_rules import (
    CLASSES_ALLOWED,
    DOCSTRINGS_ALLOWED,
    FOLDERS_ALLOWED,
    MAX_MODULES_PER_FOLDER,
    PARTICIPLES_ALLOWED,
    find_empty_docstrings,
    find_large_folders,
    find_participles,
    find_repeated_classes,
    is_empty_docstring,
    is_participle,
    name_breaches,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def product() -> dict[str, ast.Module]:
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text()) for path in iter_sources(ROOT)}


def module(source: str) -> dict[str, ast.Module]:
    return {"api/a.py": ast.parse(source)}


@pytest.mark.parametrize("name", ["carried", "held", "seen", "checkpointed"])
def test_a_bare_participle_is_refused(name: str) -> None:
    assert is_participle(name)
    assert list(find_participles(module(f"def {name}(): ..."))) == [f"api/a.py:{name}"]


@pytest.mark.parametrize("name", ["warp", "is_held", "_held", "embed", "seed", "evenly_spaced", "read"])
def test_verbs_predicates_and_private_names_pass(name: str) -> None:
    assert not is_participle(name)


def test_a_class_name_may_not_be_defined_twice() -> None:
    twice = {"api/a.py": ast.parse("class Plan: ..."), "cli/b.py": ast.parse("class Plan: ...\nclass _Own: ...")}
    assert find_repeated_classes(twice) == {"Plan": ["api/a.py", "cli/b.py"]}
    assert list(name_breaches(twice)) == ["class Plan is defined more than once: api/a.py, cli/b.py"]


def test_a_folder_has_at_most_fourteen_modules_beside_its_init() -> None:
    names = ["__init__", *(f"m{number}" for number in range(MAX_MODULES_PER_FOLDER))]
    full = {f"api/x/{name}.py": ast.parse("") for name in names}
    assert find_large_folders(full) == {}
    assert find_large_folders(full | {"api/x/more.py": ast.parse("")}) == {"api/x": 15}


@pytest.mark.parametrize("text", ["", "The same.", "Never.", "Drops it.", "The same. For CEL, too."])
def test_a_docstring_that_says_nothing_is_refused(text: str) -> None:
    assert is_empty_docstring(text)
    assert list(name_breaches(module(f"def f():\n    '''{text}'''"))) == ["api/a.py f: the docstring says nothing"]


@pytest.mark.parametrize("text", ["Return the step.", "See `KubeApi`.", "Time in seconds."])
def test_a_short_docstring_that_says_something_passes(text: str) -> None:
    assert not is_empty_docstring(text)


def test_the_exceptions_for_participles_only_shrink(product: dict[str, ast.Module]) -> None:
    assert set(PARTICIPLES_ALLOWED) - set(find_participles(product)) == set()


def test_the_exceptions_for_classes_only_shrink(product: dict[str, ast.Module]) -> None:
    assert set(CLASSES_ALLOWED) - set(find_repeated_classes(product)) == set()


def test_the_exceptions_for_folders_only_shrink(product: dict[str, ast.Module]) -> None:
    assert find_large_folders(product) == FOLDERS_ALLOWED


def test_the_exceptions_for_docstrings_only_shrink(product: dict[str, ast.Module]) -> None:
    allowed = {(path, name) for path, names in DOCSTRINGS_ALLOWED.items() for name in names}
    assert allowed - set(find_empty_docstrings(product)) == set()
