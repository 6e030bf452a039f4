"""How figures are told; what they are is nobody's business here."""

import subprocess
import sys

import pytest
from tests.bench.figures import Figure, rounded


def test_a_figure_is_its_median_and_the_worst_sample_is_judged_beside_it() -> None:
    told = Figure("status", "ms", [50.0, 55.0, 90.0], target=60.0).to_json()
    assert (told["median"], told["min"], told["max"], told["n"]) == (55.0, 50.0, 90.0, 3)
    assert told["met"] is True
    assert told["met_by_worst"] is False


def test_where_higher_is_better_the_target_is_a_floor_and_the_worst_is_the_lowest() -> None:
    figure = Figure("ycsb", "ops/s", [9_000.0, 20_000.0, 30_000.0], better="higher", target=10_000.0)
    assert figure.worst == 9_000.0
    assert figure.to_json()["met"] is True
    assert figure.to_json()["met_by_worst"] is False


def test_what_has_no_target_is_neither_met_nor_missed() -> None:
    assert "met" not in Figure("start.joined", "s", [1.0]).to_json()


def test_the_ratio_is_ours_divided_by_the_peers_of_the_medians() -> None:
    told = Figure("status", "ms", [40.0, 50.0, 60.0], peers={"supervisorctl": [90.0, 100.0, 400.0]}).to_json()
    assert told["peers"]["supervisorctl"]["median"] == 100.0
    assert told["peers"]["supervisorctl"]["ratio"] == 0.5


@pytest.mark.parametrize(("value", "told"), [(32631.27, 32630.0), (0.0123456, 0.01235), (7.0, 7.0)])
def test_figures_have_four_digits(value: float, told: float) -> None:
    assert rounded(value) == told


def test_an_unknown_benchmark_is_a_usage_error_that_names_those_there_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "speed"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "unknown benchmark 'speed'" in done.stderr
    assert "detection" in done.stderr
    assert done.stdout == ""
