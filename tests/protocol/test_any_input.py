"""Whatever arrives, both sides of the wire stay in order: it is understood, or it is a ``BadRequest``."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.protocol import golden_cases as cases
from tests.protocol import golden_files as golden

from operator_protocol import models
from operator_protocol.calls import Calls
from operator_protocol.codec import MAX_DEPTH, is_shallow, unpack
from operator_protocol.errors import BadRequest, OperatorError
from operator_protocol.frames import Frame, Header, decode_any_frame
from operator_protocol.mirror import Mirror
from operator_protocol.records import from_body, to_body
from operator_protocol.requests import decode_reply
from operator_protocol.state import State
from operatord.control.commands import COMMANDS
from operatord.control.incoming import Incoming, NoCommand, parse

RECORDS = [one for one in vars(models).values() if isinstance(one, type) and dataclasses.is_dataclass(one)]
TOPICS = [topic for topic, _ in cases.FRAMES.values()]
BODIES = [cases.body_of(said) for _, said in cases.FRAMES.values()]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.just(msgpack.ExtType(5, b"x"))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(0, 9), inner, max_size=4)
    ),
    max_leaves=12,
)
text_maps = st.dictionaries(st.text(max_size=8), values, max_size=5)


@st.composite
def nearly_good(draw: st.DrawFn) -> dict[str, Any]:
    """A good body in which some members are something else, and some are gone."""
    body = dict(draw(st.sampled_from(BODIES)))
    for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=3)):
        if draw(st.booleans()):
            body.pop(key, None)
        else:
            body[key] = draw(values)
    return body


bodies = nearly_good() | text_maps
headers = st.builds(
    Header,
    st.just(1),
    st.sampled_from(["b1", "b2"]),
    st.integers(0, 12),
    st.integers(0, 12),
    st.just(0.0),
    st.just(0.0),
    st.just("x"),
)


@given(bodies)
def test_any_map_is_a_record_or_a_bad_request_and_a_record_survives_the_wire(body: dict[str, Any]) -> None:
    for record in RECORDS:
        with contextlib.suppress(BadRequest):
            made = from_body(record, body)
            data = msgpack.packb(to_body(made))
            # As bytes, since one that is not a number does not equal itself.
            assert msgpack.packb(to_body(from_body(record, unpack(data)))) == data


@given(st.sampled_from([*TOPICS, "x", "process..state"]), bodies)
def test_any_body_changes_the_state_or_is_a_bad_request(topic: str, body: dict[str, Any]) -> None:
    state = State()
    with contextlib.suppress(BadRequest):
        state.apply(topic, body)
    again = State.from_wire(unpack(msgpack.packb(state.to_wire())))
    assert msgpack.packb(again.to_wire()) == msgpack.packb(state.to_wire())


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_any_parts_are_a_frame_or_a_bad_request(parts: list[bytes]) -> None:
    with contextlib.suppress(BadRequest):
        decode_any_frame(parts)


@given(st.binary(max_size=80) | values.map(msgpack.packb))
def test_any_bytes_are_a_command_or_the_reason_why_not(data: bytes) -> None:
    try:
        assert isinstance(parse(data), Incoming)
    except NoCommand as refused:
        assert refused.reason in ("torn", "not_a_map", "oversized", "bad_field", "version_mismatch")
        assert msgpack.packb(refused.error.to_wire())


@given(st.sampled_from(COMMANDS), bodies)
def test_any_arguments_are_those_of_a_command_or_a_bad_request(command: Any, args: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequest):
        from_body(command.args, args)


@given(st.binary(max_size=80) | bodies.map(msgpack.packb))
def test_any_bytes_are_a_reply_or_a_typed_error(data: bytes) -> None:
    with contextlib.suppress(OperatorError):
        decode_reply(data)
    with contextlib.suppress(BadRequest):
        Calls("me").replied(data)


@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.sampled_from([*TOPICS, "x"]), headers, bodies), max_size=20),
    st.sampled_from([None, ("x", "cluster.health")]),
    st.dictionaries(st.sampled_from(["boot_id", "seq", "topic_seqs", "state", "tails"]), values, max_size=2)
    | st.dictionaries(st.sampled_from(sorted(State().to_wire())), values, max_size=2).map(
        lambda state: {"state": state}
    ),
)
def test_a_mirror_takes_any_frames_and_any_snapshot(
    arrivals: list[tuple[str, Header, dict[str, Any]]], topics: tuple[str, ...] | None, snapshot: dict[str, Any]
) -> None:
    mirror = Mirror(topics)
    mirror.start(0.0)
    good = {"boot_id": "b1", "seq": 0, "topic_seqs": {}, "state": State().to_wire(), "tails": []}
    for number, (topic, header, body) in enumerate(arrivals):
        mirror.received(Frame(topic, header, body), float(number))
        mirror.received(Frame(f"join.{mirror._nonce}", header, {}), float(number))
        mirror.answered(mirror._ask_id, good if number % 2 else {**good, **snapshot}, float(number))
        mirror.tick(float(number))
        mirror.take_events()
        mirror.take_actions()


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_depth_is_counted_in_maps_and_arrays(wrap: Callable[[object], object]) -> None:
    value: object = 1
    for _ in range(MAX_DEPTH):
        value = wrap(value)
    assert is_shallow(value)
    assert not is_shallow(wrap(value))


def test_a_frame_whose_body_cannot_be_read_still_counts() -> None:
    topic, header, _ = (part.data for part in golden.read("frame", "cluster.health"))
    assert decode_any_frame([topic, header, b"\xc1"]) == Frame("cluster.health", cases.HEADER, {})
    with pytest.raises(BadRequest):
        decode_any_frame([topic, b"\xc1", b"\x80"])
