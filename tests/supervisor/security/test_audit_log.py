"""The audit log: nothing is lost in silence, nothing is flooded out."""

import json
import stat
from pathlib import Path
from typing import Any

from operatord.audit import MAX_KINDS, WINDOW_S, AuditLog, plain


class Audit:
    """A log with a clock of its own."""

    def __init__(self, path: Path, *, max_bytes: int = 1 << 20, keep_files: int = 3) -> None:
        self.now = 1000.0
        self.said: list[str] = []
        self.log = AuditLog(
            path,
            on_error=self.said.append,
            max_bytes=max_bytes,
            keep_files=keep_files,
            wall=lambda: self.now,
            clock=lambda: self.now,
        )


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_there_at_once_with_its_time_and_for_the_owner_only(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    audit.log.write({"cmd": "fault", "actor": 'a\n"b"'})
    assert records(tmp_path / "audit.log") == [{"at": 1000.0, "cmd": "fault", "actor": 'a\n"b"'}]
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600
    audit.log.close()


def test_a_later_log_goes_on_where_the_earlier_one_ended(tmp_path: Path) -> None:
    for number in range(2):
        audit = Audit(tmp_path / "audit.log")
        audit.log.write({"number": number})
        audit.log.close()
    assert [record["number"] for record in records(tmp_path / "audit.log")] == [0, 1]


def test_files_are_bounded_in_size_and_number_and_the_newest_are_kept(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log", max_bytes=500, keep_files=3)
    for number in range(100):
        audit.log.write({"number": number})
    audit.log.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["audit.log", "audit.log.1", "audit.log.2"]
    assert all(file.stat().st_size <= 500 for file in files)
    numbers = [record["number"] for file in reversed(files) for record in records(file)]
    assert numbers == list(range(numbers[0], 100))


def test_a_log_that_somebody_deleted_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    audit = Audit(path)
    audit.log.write({"number": 0})
    path.unlink()
    audit.log.write({"number": 1})
    audit.log.close()
    assert [record["number"] for record in records(path)] == [1]


def test_repetitions_are_counted_and_accounted_for_when_the_minute_is_over(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    for _ in range(1000):
        audit.log.write_first(("wall", "ping"), {"cmd": "ping"})
    audit.log.write_first(("wall", "status"), {"cmd": "status"})
    audit.log.tick()
    assert [record["cmd"] for record in records(tmp_path / "audit.log")] == ["ping", "status"]
    audit.now += WINDOW_S
    audit.log.tick()
    assert records(tmp_path / "audit.log")[2:] == [{"at": 1000.0, "cmd": "ping", "repeated": 999}]
    assert audit.log.write_first(("wall", "ping"), {"cmd": "ping"})
    audit.log.close()


def test_what_was_counted_is_accounted_for_at_the_end(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    for _ in range(3):
        audit.log.write_first("ping", {"cmd": "ping"})
    audit.log.close()
    assert records(tmp_path / "audit.log")[-1]["repeated"] == 2


def test_any_number_of_strangers_neither_grows_it_without_bound_nor_hides_what_others_do(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    strangers = 3 * MAX_KINDS
    for number in range(strangers):
        audit.log.write_first(number, {"event": "denied", "key": number})
    audit.log.write_first("status", {"event": "command", "cmd": "status"})
    audit.log.close()
    written = records(tmp_path / "audit.log")
    denied = [record for record in written if record["event"] == "denied"]
    assert len(denied) == MAX_KINDS + 2
    assert "too many" in denied[-1]["reason"]
    assert sum(record.get("repeated", 1) for record in denied) == strangers
    assert [record["cmd"] for record in written if record["event"] == "command"] == ["status"]


def test_fewer_kinds_can_be_told_apart_for_those_that_anybody_can_make_up(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.log")
    for number in range(10):
        audit.log.write_first(number, {"event": "denied", "key": number}, max_kinds=3)
    assert audit.log.write_first("known", {"event": "denied", "key": "known"})
    audit.log.close()
    written = records(tmp_path / "audit.log")
    assert [record.get("key") for record in written[:3]] == [0, 1, 2]
    assert "too many" in written[3]["reason"]
    assert written[4]["key"] == "known"
    assert written[5]["repeated"] == 6


def test_a_log_that_cannot_be_written_is_said_once_and_what_is_lost_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "audit.log"
    audit = Audit(path)
    for number in range(5):
        audit.log.write({"number": number})
    assert len(audit.said) == 1
    assert "cannot be written" in audit.said[0]
    path.parent.mkdir()
    audit.log.write({"number": 5})
    audit.log.close()
    assert "5 records are lost" in audit.said[1]
    assert [record.get("records", record.get("number")) for record in records(path)] == [5, 5]
    assert records(path)[0]["event"] == "lost"


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.log").symlink_to(tmp_path / "elsewhere")
    audit = Audit(tmp_path / "audit.log")
    audit.log.write({"number": 1})
    assert audit.said
    assert not (tmp_path / "elsewhere").exists()


def test_arguments_are_bounded_and_always_json() -> None:
    assert plain({"kind": "kill"}) == {"kind": "kill"}
    long = plain({"text": "x" * 100_000})
    assert isinstance(long, str)
    assert len(long) < 2_000
    nested: dict[str, Any] = {}
    for _ in range(900):
        nested = {"a": nested}
    for odd in ({"raw": b"\x00"}, {"rate": float("nan")}, nested):
        json.dumps({"args": plain(odd)}, allow_nan=False)
