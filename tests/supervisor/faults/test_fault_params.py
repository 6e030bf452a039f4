"""What may be given as a parameter, and what becomes of it."""

from typing import Any

import pytest

from operator_protocol.errors import BadRequest, OperatorError
from operator_protocol.models import FaultKind, FaultParam, Scalar
from operatord.faults.params import complete, describe_range

KIND = FaultKind(
    "toy",
    "does nothing",
    "nothing",
    [
        FaultParam("percent", "share", 70.0, "%", 1.0, 95.0),
        FaultParam("period", "one turn", 20.0, "ms", 10.0, 500.0),
        FaultParam("duration", "how long", 5.0, "s", 0.5),
        FaultParam("size", "how much", 64 * 1024**2, "bytes", 4096.0, float(1024**3)),
        FaultParam("rate", "how fast", 1024.0**2, "bytes/s", 1024.0),
        FaultParam("threads", "how many", 2, "", 1.0, 8.0),
        FaultParam("direction", "which way", "both", choices=["in", "out", "both"]),
        FaultParam("exact", "no jitter", False),
        FaultParam("peer", "a node", ""),
        FaultParam("note", "anything"),
    ],
)
DEFAULTS = {param.name: param.default for param in KIND.params}


def test_what_was_not_given_is_filled_in() -> None:
    assert complete(KIND, {}) == DEFAULTS
    assert complete(KIND, {"percent": None}) == DEFAULTS


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("percent", 50, 50.0),
        ("percent", "50", 50.0),
        ("percent", "50%", 50.0),
        ("percent", "50 %", 50.0),
        ("period", "40ms", 40.0),
        ("period", "0.1s", 100.0),
        ("period", "25", 25.0),
        ("duration", "2m", 120.0),
        ("duration", "500ms", 0.5),
        ("duration", 3, 3.0),
        ("size", "64MiB", 64 * 1024**2),
        ("size", "1 GiB", 1024**3),
        ("size", "8k", 8192),
        ("size", 8192, 8192),
        ("rate", "2MiB/s", 2.0 * 1024**2),
        ("rate", "2MiB", 2.0 * 1024**2),
        ("rate", 4096, 4096.0),
        ("threads", "4", 4),
        ("threads", 4.0, 4),
        ("direction", "in", "in"),
        ("exact", True, True),
        ("exact", "yes", True),
        ("exact", "false", False),
        ("peer", "valkey-3", "valkey-3"),
        ("note", 7, 7),
    ],
)
def test_a_value_may_come_in_its_own_type_or_as_people_write_it(name: str, given: Scalar, read: Scalar) -> None:
    found = complete(KIND, {name: given})
    assert found == {**DEFAULTS, name: read}
    assert type(found[name]) is type(read)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("percent", 0, "toy: percent is 1 to 95 %, not 0"),
        ("percent", 95.5, "percent is 1 to 95 %"),
        ("percent", "much", "percent is 1 to 95 %, not 'much'"),
        ("percent", "nan", "percent is 1 to 95 %"),
        ("percent", True, "percent is 1 to 95 %"),
        ("period", "2m", "period is 10 to 500 ms"),
        ("period", "40s", "period is 10 to 500 ms"),
        ("duration", "100ms", "duration is at least 0.5 s"),
        ("size", "2GiB", "size is 4 KiB to 1 GiB, not '2GiB'"),
        ("size", "lots", "size is 4 KiB to 1 GiB"),
        ("rate", "1B/s", "rate is at least 1 KiB/s"),
        ("threads", 1.5, "threads is 1 to 8"),
        ("direction", "up", "direction is one of in, out, both"),
        ("exact", "perhaps", "exact is true or false"),
        ("exact", 1, "exact is true or false"),
        ("peer", 7, "peer is text"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_range_and_its_unit(name: str, given: Scalar, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        complete(KIND, {name: given})
    assert said in refused.value.message
    assert refused.value.hint.startswith(f"{name}: ")


def test_a_parameter_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadRequest, match="no parameter 'procent'") as refused:
        complete(KIND, {"procent": 50})
    assert "percent, period" in refused.value.hint
    with pytest.raises(BadRequest) as none:
        complete(FaultKind("kill", "", ""), {"percent": 50})
    assert none.value.hint.startswith("it has none")


@pytest.mark.parametrize("given", ["", " ", "-", "1e999", "0x10", "1_0", "٣", "5" * 400, 10**400, -0.0, float("inf")])
def test_nothing_that_is_given_breaks_it(given: Any) -> None:
    for param in KIND.params:
        try:
            complete(KIND, {param.name: given})
        except OperatorError:
            continue


def test_every_range_is_told_in_words() -> None:
    assert [describe_range(param) for param in KIND.params] == [
        "1 to 95 %",
        "10 to 500 ms",
        "at least 0.5 s",
        "4 KiB to 1 GiB",
        "at least 1 KiB/s",
        "1 to 8",
        "one of in, out, both",
        "true or false",
        "text",
        "anything",
    ]
