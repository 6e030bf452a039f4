"""Messages that were written down once are read and written the same way for ever."""

import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgpack
import pytest
from tests.protocol import golden_cases as cases
from tests.protocol import golden_files as golden

from operator_protocol import errors, models, topics
from operator_protocol.codec import Body, pack, unpack, unpack_map
from operator_protocol.errors import OperatorError
from operator_protocol.frames import Frame, decode_frame, encode_frame
from operator_protocol.mirror import Mirror
from operator_protocol.records import from_body, to_body
from operator_protocol.requests import decode_reply, encode_command
from operator_protocol.state import State
from operatord.control.commands import COMMANDS
from operatord.control.incoming import Incoming, parse

BY_NAME = {command.name: command for command in COMMANDS}


def covers(ours: object, theirs: object) -> bool:
    """Whether everything that the golden message says is in ours; ours may say more, in maps."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and all(key in ours and covers(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(covers, ours, theirs))
    return golden.shown(ours) == golden.shown(theirs)


def check_text(parts: list[golden.Part]) -> None:
    """The two lines of each part say the same, and the bytes are what our codec makes of it."""
    for position, part in enumerate(parts):
        if len(parts) == 3 and position == 0:
            assert golden.shown(part.data.decode()) == part.shown
        else:
            assert golden.shown(msgpack.unpackb(part.data)) == part.shown
            assert pack(unpack(part.data)) == part.data


def check_record(body: Body, said: object) -> None:
    """The map is read as that record, and the record is written with at least what is in the map."""
    if dataclasses.is_dataclass(said) and not isinstance(said, type):
        assert from_body(type(said), body) == said
        assert covers(to_body(said), body)
    else:
        assert covers(said, body)


def check_frame(name: str, directory: Path) -> None:
    parts = golden.read("frame", name, directory)
    check_text(parts)
    topic, said = cases.FRAMES[name]
    frame = decode_frame([part.data for part in parts])
    assert (frame.topic, frame.header) == (topic, cases.HEADER)
    assert list(map(type, frame.header)) == list(map(type, cases.HEADER))
    check_record(frame.body, said)
    assert encode_frame(frame) == [part.data for part in parts]
    State().apply(frame.topic, frame.body)


def check_command(name: str, directory: Path) -> None:
    (part,) = golden.read("command", name, directory)
    check_text([part])
    cmd, args = cases.COMMANDS[name]
    assert encode_command(cmd, args, command_id=cases.COMMAND_ID, deadline_s=10.0, actor=cases.ACTOR) == part.data
    assert parse(part.data) == Incoming(cases.COMMAND_ID, cmd, args, 10.0, cases.ACTOR)
    assert covers(to_body(from_body(BY_NAME[cmd].args, args)), args)


def check_reply(name: str, directory: Path) -> None:
    (part,) = golden.read("reply", name, directory)
    check_text([part])
    command_id, result = decode_reply(part.data)
    assert command_id == cases.COMMAND_ID
    assert covers(cases.RESULTS[name], result)
    assert covers(cases.reply_map(cases.RESULTS[name]), unpack_map(part.data))


def check_error(name: str, directory: Path) -> None:
    (part,) = golden.read("error", name, directory)
    check_text([part])
    expected = cases.ERRORS[name]
    with pytest.raises(type(expected)) as caught:
        decode_reply(part.data)
    assert (caught.value.message, caught.value.hint) == (expected.message, expected.hint)
    assert covers(cases.reply_map(None, expected), unpack_map(part.data))


def check_bare_record(name: str, directory: Path) -> None:
    (part,) = golden.read("record", name, directory)
    check_text([part])
    check_record(unpack_map(part.data), cases.RECORDS[name])


CHECKS: dict[str, tuple[Callable[[str, Path], None], Mapping[str, object]]] = {
    "frame": (check_frame, cases.FRAMES),
    "command": (check_command, cases.COMMANDS),
    "reply": (check_reply, cases.RESULTS),
    "error": (check_error, cases.ERRORS),
    "record": (check_bare_record, cases.RECORDS),
}
ALL = [(kind, name) for kind in CHECKS for name in golden.names(kind)]


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_a_golden_message_is_read_and_written_as_ever(kind: str, name: str) -> None:
    check, _ = CHECKS[kind]
    check(name, golden.DIRECTORY)


def test_there_is_a_golden_message_for_each_case_and_a_case_for_each_file() -> None:
    for kind, (_, expected) in CHECKS.items():
        assert golden.names(kind) == sorted(expected)
    assert len(list(golden.DIRECTORY.iterdir())) == len(ALL)


def test_every_topic_command_error_and_record_has_a_golden_message() -> None:
    named = {value for name, value in vars(topics).items() if name.isupper() and isinstance(value, str)}
    assert named <= {topic for topic, _ in cases.FRAMES.values()}
    assert {command.name for command in COMMANDS} == {cmd for cmd, _ in cases.COMMANDS.values()}
    assert {command.name for command in COMMANDS} <= set(cases.RESULTS)
    codes = {one.code for one in vars(errors).values() if isinstance(one, type) and issubclass(one, OperatorError)}
    assert codes == set(cases.ERRORS)
    records = {one for one in vars(models).values() if isinstance(one, type) and dataclasses.is_dataclass(one)}
    held: set[type] = set()
    said = [said for _, said in cases.FRAMES.values() if not isinstance(said, dict)]
    for record in [*said, *cases.RECORDS.values()]:
        held |= types_in(record)
    assert records == held


def types_in(value: object) -> set[type]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [getattr(value, field.name) for field in dataclasses.fields(value)]
        return {type(value)}.union(*map(types_in, fields))
    if isinstance(value, Mapping):
        return set().union(*map(types_in, value.values()))
    return set().union(*map(types_in, value)) if isinstance(value, list) else set()


def test_the_golden_snapshot_is_loaded_whole() -> None:
    (part,) = golden.read("reply", "snapshot")
    _, result = decode_reply(part.data)
    assert covers(State.from_wire(result["state"]).to_wire(), result["state"])
    mirror = Mirror()
    mirror.start(0.0)
    mirror._load(result, 0.0)
    assert mirror.status == "live"
    assert [frame.body["id"] for frame in mirror.tail] == [cases.FAULT.id]


def damaged(text: str) -> dict[str, str]:
    """Copies of a golden file in each of which one thing is not what it was."""
    lines = text.splitlines(keepends=True)
    copies = {"a line is missing": "".join(lines[:-1])}
    for number, line in enumerate(lines):
        label, _, rest = line.rstrip("\n").partition(" ")
        middle = len(rest) // 2
        if label == "hex":
            flipped = format(int(rest[middle], 16) ^ 1, "x")
            changed = rest[:middle] + flipped + rest[middle + 1 :]
        else:
            changed = rest[:middle] + ("x" if rest[middle] != "x" else "y") + rest[middle + 1 :]
        copies[f"{label} of line {number + 1}"] = "".join(
            [*lines[:number], f"{label} {changed}\n", *lines[number + 1 :]]
        )
    return copies


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_changing_a_golden_message_breaks_its_test(kind: str, name: str, tmp_path: Path) -> None:
    check, _ = CHECKS[kind]
    path = tmp_path / f"{kind}.{name}{golden.SUFFIX}"
    shutil.copy(golden.DIRECTORY / path.name, path)
    check(name, tmp_path)
    for what, text in damaged(path.read_text(encoding="utf-8")).items():
        path.write_text(text, encoding="utf-8")
        try:
            check(name, tmp_path)
        except (AssertionError, ValueError, OperatorError, msgpack.UnpackException, UnicodeDecodeError):
            continue
        pytest.fail(f"{what} was changed, and nobody noticed")


@pytest.mark.parametrize("kind", ["frame", "record"])
def test_a_changed_value_that_is_told_consistently_is_noticed_too(kind: str, tmp_path: Path) -> None:
    check, _ = CHECKS[kind]
    for name in golden.names(kind):
        parts = [part.data for part in golden.read(kind, name)]
        for key, value in unpack_map(parts[-1]).items():
            other = {**unpack_map(parts[-1]), key: [value]}
            text = golden.render([*parts[:-1], msgpack.packb(other)])
            (tmp_path / f"{kind}.{name}{golden.SUFFIX}").write_text(text, encoding="utf-8")
            with pytest.raises((AssertionError, OperatorError)):
                check(name, tmp_path)


def test_a_frame_of_a_newer_minor_version_is_read() -> None:
    parts = [part.data for part in golden.read("frame", "fault.injected")]
    header = pack([*unpack(parts[1]), "appended"])
    body = pack(unpack_map(parts[2]) | {"mood": "curious"})
    frame = decode_frame([parts[0], header, body])
    assert frame == Frame(topics.FAULT_INJECTED, cases.HEADER, frame.body)
    assert from_body(models.Fault, frame.body) == cases.FAULT
