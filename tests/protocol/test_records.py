"""Records to maps and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_protocol.codec import MAX_MESSAGE_BYTES, pack, unpack, unpack_map
from operator_protocol.errors import BadRequest, NotFound, OperatorError, error_from_wire
from operator_protocol.models import Diagnosis, EvidenceItem, Fault, LatencySummary, Node, Ticket, WorkloadSample
from operator_protocol.records import from_body, to_body

_DIAGNOSIS = Diagnosis(
    summary="valkey-1 was killed",
    component="valkey-1",
    cause="process_killed",
    explanation="it ended by SIGKILL",
    confidence=0.9,
    source="rules",
    evidence=[EvidenceItem(1, "process", "ended by signal 9")],
    cited=[1],
)
_TICKET = Ticket(7, "node_down", "valkey-1", "critical", "diagnosed", "down", 1.0, 2.0, diagnosis=_DIAGNOSIS)


def test_nested_records_survive_the_wire() -> None:
    assert from_body(Ticket, unpack_map(pack(to_body(_TICKET)))) == _TICKET


def test_unknown_fields_are_ignored_so_that_a_newer_peer_is_understood() -> None:
    body = to_body(_TICKET) | {"mood": "curious"}
    assert from_body(Ticket, body) == _TICKET


def test_missing_fields_take_their_defaults() -> None:
    node = from_body(Node, {"id": "a", "role": "primary", "group": "g", "address": "h:1", "state": "up"})
    assert node.leader is False
    assert node.signals == {}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"id": "f", "kind": "kill", "target": "a"}, "state is missing"),
        ({"id": "f", "kind": "kill", "target": "a", "state": "sleeping"}, "state"),
        ({"id": 3, "kind": "kill", "target": "a", "state": "active"}, "id"),
        ({"id": "f", "kind": "kill", "target": "a", "state": "active", "owed": 1}, "owed"),
    ],
)
def test_a_bad_field_is_named_in_the_error(body: dict[str, object], named: str) -> None:
    with pytest.raises(BadRequest, match=named):
        from_body(Fault, body)


def test_integers_are_accepted_where_floats_are_due_but_booleans_are_not() -> None:
    sample = from_body(
        WorkloadSample,
        {"ops_per_sec": 2000, "errors_per_sec": 0, "degraded": False, "elapsed": 3, "operations": 9},
    )
    assert isinstance(sample.ops_per_sec, float)
    with pytest.raises(BadRequest, match="elapsed"):
        from_body(WorkloadSample, to_body(sample) | {"elapsed": True})


def test_maps_of_records_are_converted() -> None:
    sample = WorkloadSample(1.0, 0.0, False, 1.0, 1, latency={"READ": LatencySummary(4, p99=1.5)})
    assert from_body(WorkloadSample, to_body(sample)) == sample


def test_errors_keep_their_type_over_the_wire() -> None:
    error = error_from_wire(NotFound("no such node", "there are six").to_wire())
    assert isinstance(error, NotFound)
    assert (error.message, error.hint) == ("no such node", "there are six")
    assert type(error_from_wire({"code": "from_the_future", "message": "m"})).code == "internal"


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_a_bad_request(data: bytes) -> None:
    try:
        unpack(data)
    except OperatorError as error:
        assert isinstance(error, BadRequest)


def test_an_oversized_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(BadRequest, match="larger than"):
        unpack(b"\xc0" * (MAX_MESSAGE_BYTES + 1))
