"""`make verify` notices generated files that are missing or old."""

from pathlib import Path

from scripts import generate_crd


def test_a_missing_and_an_old_file_are_stale(tmp_path: Path) -> None:
    wanted = {tmp_path / name: "new" for name in ("missing", "old", "fresh")}
    (tmp_path / "old").write_text("old")
    (tmp_path / "fresh").write_text("new")
    assert generate_crd.stale_files(wanted) == [tmp_path / "missing", tmp_path / "old"]


def test_what_is_committed_is_fresh() -> None:
    assert generate_crd.stale_files(generate_crd.generated_files()) == []


def test_the_chart_carries_the_same_definition() -> None:
    outputs = {
        path.relative_to(generate_crd.ROOT).as_posix(): text for path, text in generate_crd.generated_files().items()
    }
    assert outputs["crds/videojobs.yaml"] == outputs["helm/videojob/files/videojobs.yaml"]


def test_a_row_of_the_reference_says_type_meaning_default_and_limits() -> None:
    field = {"type": "integer", "format": "int64", "description": "Frames | second.", "default": 24, "minimum": 1}
    assert generate_crd.table_row("encoding.fps", field, False) == (
        "| `encoding.fps` | integer | Frames \\| second. | default `24`, ≥ 1 |"
    )
    assert generate_crd.table_row("output", {"type": "object"}, True).startswith("| **`output`** | object |")
