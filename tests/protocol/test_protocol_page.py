"""The specification names everything that goes over the wire, with its default, and nothing that does not."""

import dataclasses
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from tests.protocol import golden_cases as cases

from operator_protocol import errors, models, topics
from operator_protocol.errors import OperatorError
from operator_protocol.state import State
from operatord.control.commands import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "protocol.md"
RECORDS = [one for one in vars(models).values() if isinstance(one, type) and dataclasses.is_dataclass(one)]


def section(title: str) -> str:
    """From that heading to the next one of any level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/protocol.md has no section {title!r}"
    return found[1]


def tables(text: str) -> list[list[list[str]]]:
    """The rows of each table, without heads and rules, cells without backticks."""
    found: list[list[list[str]]] = []
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        rows = [[cell.strip() for cell in line.strip().strip("|").split(" |")] for line in block.splitlines()]
        found.append([[cell.replace("`", "").strip() for cell in row] for row in rows[2:]])
    return found


def table(title: str, number: int = 0) -> list[list[str]]:
    return tables(section(title))[number]


def default_of(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        if field.default_factory is dataclasses.MISSING:
            return "required"
        return "{}" if field.default_factory() == {} else "[]"
    if field.default is None:
        return "nil"
    if isinstance(field.default, bool):
        return str(field.default).lower()
    return f'"{field.default}"' if isinstance(field.default, str) else f"{field.default:g}"


def type_of(hint: Any) -> str:
    """What the page calls the type of a field, apart from what is in it."""
    if get_origin(hint) is types.UnionType:
        hint = next(one for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is Literal:
        return "text"
    origin = get_origin(hint) or hint
    if dataclasses.is_dataclass(origin):
        return f"[{getattr(origin, '__name__', '')}]"
    names = {str: "text", int: "int", float: "float", bool: "bool", list: "array", Mapping: "map"}
    return names[origin]


def described(record: type) -> list[tuple[str, str]]:
    return [(str(field.metadata.get("wire", field.name)), default_of(field)) for field in dataclasses.fields(record)]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_every_field_of_every_record_is_on_the_page_with_its_default(record: type) -> None:
    told = [(row[0], row[2]) for row in table(record.__name__)]
    assert told == described(record)
    hints = get_type_hints(record)
    for row, field in zip(table(record.__name__), dataclasses.fields(record), strict=True):
        assert row[1].partition(",")[0].startswith(type_of(hints[field.name])), row
        assert ("nil" in row[1]) == (type(None) in get_args(hints[field.name])), row


@pytest.mark.parametrize(
    "kinds", ["NodeState", "SignalState", "Severity", "ProcessPhase", "ProcessKind", "TicketStatus"]
)
def test_every_value_of_a_field_with_few_values_is_on_the_page(kinds: str) -> None:
    page = PAGE.read_text()
    for value in vars(models)[kinds].__args__:
        assert f"`{value}`" in page


def test_every_topic_is_on_the_page() -> None:
    rows = table("Topics")
    told = {topic.strip() for row in rows for topic in row[0].split(",")}
    constants = {value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    families = {topics.process_state("<name>"), topics.process_log("<name>"), topics.join_echo("<nonce>")}
    assert told == constants | families


def test_every_command_is_on_the_page_with_its_arguments_their_defaults_and_its_result() -> None:
    rows = tables(section("Commands"))[1]
    told: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    name = ""
    for row in rows:
        if row[0]:
            name = row[0]
            told[name] = (row[1], [])
        if row[2]:
            told[name][1].append((row[2], row[4]))
    expected = {
        command.name: ("long" if command.long else "reads" if command.reads else "", described(command.args))
        for command in COMMANDS
    }
    assert told == expected
    results = tables(section("Commands"))[2]
    assert sorted(name.strip() for row in results for name in row[0].split(",")) == sorted(expected)


def test_every_member_of_a_result_is_on_the_page() -> None:
    rows = tables(section("Commands"))[2]
    for cmd, result in cases.RESULTS.items():
        if cmd != "accepted":
            (text,) = [row[1] for row in rows if cmd in [name.strip() for name in row[0].split(",")]]
            for member in result:
                assert re.search(rf"\b{member}\b", text), f"{member} of {cmd}"


def test_every_error_is_on_the_page() -> None:
    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, OperatorError)]
    told = {row[0]: row[1] for row in table("Errors")}
    assert told == {
        kind.code: "yes" if kind.retryable else "no" for kind in kinds if kind.__module__ == errors.__name__
    }


def test_every_collection_of_the_state_is_on_the_page() -> None:
    assert [row[0] for row in table("State")] == list(State().to_wire())


def test_the_links_of_the_page_lead_somewhere() -> None:
    page = PAGE.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", page):
        if target.startswith("#"):
            assert target[1:] in anchors
        elif "://" not in target:
            assert (PAGE.parent / target).exists()
