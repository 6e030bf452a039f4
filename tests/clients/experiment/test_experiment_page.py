"""The page says what there is: the report's fields, the steps' keys, the quantities of conditions."""

import dataclasses
from pathlib import Path

import pytest

from operator_clients.experiment import model, outcome, quantities
from operator_clients.experiment.document import SCHEMA, SCHEMA_VERSION, make_document
from operator_clients.experiment.outcome import EXIT_CODES, Outcome
from operator_clients.experiment.record import Record

PAGE = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text()


def names(cls: type[object]) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]  # they are dataclasses


@pytest.mark.parametrize(
    "name",
    [
        *make_document(model.Experiment("f", "t", ()), Outcome(), Record()),
        *names(outcome.StepResult),
        *names(outcome.Expectation),
        *names(outcome.Rollback),
        *EXIT_CODES,
        *model.ACTIONS.values(),
    ],
)
def test_a_field_a_verdict_or_an_action_is_on_the_page(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize(
    "key", [name.removesuffix("_s") for name in names(model.Expectations) + names(model.SteadyState)]
)
def test_a_key_of_a_table_is_on_the_page(key: str) -> None:
    assert f"`{key}`" in PAGE or f"\n{key} = " in PAGE


@pytest.mark.parametrize(
    "name", [*quantities.CLUSTER, *quantities.WORKLOAD, *quantities.FIGURES, *quantities.NODE, *quantities.PROCESS]
)
def test_a_quantity_is_on_the_page(name: str) -> None:
    assert f".{name}`" in PAGE or f"`{name}`" in PAGE


def test_the_schema_is_on_the_page() -> None:
    assert f"`{SCHEMA}`, `schema_version` {SCHEMA_VERSION}" in PAGE
