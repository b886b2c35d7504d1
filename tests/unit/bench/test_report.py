"""What the bench makes of its answers."""

from __future__ import annotations

import pytest

from bench.interleave import Answer
from bench.report import compare, largest_difference, parts_table, ratio_of_medians, results_table


def step(wall: float, *, loss: float, peak: float = 0.0) -> Answer:
    return {"wall": wall, "cpu": 2 * wall, "loss": loss, "peak": peak}


THEIRS = [step(90.0, loss=1.0), step(6.0, loss=0.9, peak=900.0), step(4.0, loss=0.8), step(50.0, loss=0.7)]
OURS = [step(1.0, loss=1.0), step(2.0, loss=0.9), step(9.0, loss=0.83, peak=500.0), step(3.0, loss=0.69)]
READY = {
    "theirs": {"memory": 300.0, "peak": 400.0, "seconds": 9.0},
    "ours": {"memory": 200.0, "peak": 250.0, "seconds": 5.0},
}
FOUND = compare({"theirs": THEIRS, "ours": OURS}, READY, reference="theirs")


def test_one_slow_iteration_does_not_move_a_ratio_of_medians() -> None:
    assert ratio_of_medians([4, 6, 1000], [3, 2, 1]) == 3.0


def test_the_first_iteration_warms_up_and_its_seconds_do_not_count() -> None:
    assert (FOUND["theirs"].wall, FOUND["ours"].wall) == (6.0, 3.0)
    assert (FOUND["ours"].times_as_fast, FOUND["theirs"].times_as_fast) == (2.0, 1.0)
    assert (FOUND["ours"].cpu, FOUND["ours"].times_as_fast_cpu) == (6.0, 2.0)


def test_memory_is_the_peak_and_what_of_it_came_after_loading() -> None:
    assert (FOUND["ours"].peak, FOUND["ours"].working) == (500.0, 300.0)
    assert (FOUND["theirs"].peak, FOUND["theirs"].working) == (900.0, 600.0)


def test_losses_are_compared_step_by_step_the_first_included() -> None:
    assert FOUND["ours"].difference == pytest.approx(0.03)
    assert largest_difference([5.0, 1.0], [1.0, 1.0]) == 4.0
    with pytest.raises(ValueError, match="longer"):
        largest_difference([1.0], [1.0, 2.0])


def test_the_tables_name_everyone_with_their_figures() -> None:
    lines = results_table(FOUND).splitlines()
    assert lines[2].split() == ["ours", "3.000", "6.000", "2.00", "2.00", "5.0", "250", "200", "500", "300", "3.0e-02"]
    parts = {"ours": [{"CLIP forward": {"wall": wall}} for wall in (1.0, 3.0, 2.0)]}
    assert parts_table(parts).splitlines()[1].split() == ["ours", "2.000"]
