"""The undo journal against crashes, torn ends, damage and full disks."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from operator_protocol.errors import Unavailable
from operator_protocol.models import Fault
from operatord.faults.undo_journal import Owed, UndoJournal, read_owed

NAME = "undo.journal"


def owed(fault_id: str, target: str = "node-0") -> Owed:
    fault = Fault(fault_id, "kill", target, "injecting", role="primary", params={"for_s": 30.0}, owed=True)
    return Owed(fault, {"pid": 4711, "started": 1.5, "note": "zürich", "gone": None, "was": True}, "cluster-1")


def active(one: Owed) -> Fault:
    return Fault(one.fault.id, one.fault.kind, one.fault.target, "active", owed=True, injected_at=1_700_000_000.25)


def open_journal(path: Path, fsync: Callable[[int], None] = os.fsync) -> UndoJournal:
    return UndoJournal(path, wall=lambda: 1_700_000_000.0, fsync=fsync)


def unsynced(_: int) -> None:
    """For files that are read back at once: thousands of them would keep the disk, and all who wait for it, busy."""


def owed_ids(path: Path) -> list[str]:
    journal = open_journal(path, unsynced)
    journal.close()
    return [one.fault.id for one in journal.owed()]


def test_what_was_intended_is_owed_after_a_restart_with_all_that_the_undo_needs(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / NAME)
    journal.intend(owed("a"))
    journal.close()
    assert open_journal(tmp_path / NAME).owed() == [owed("a")]
    assert read_owed(tmp_path / NAME) == [owed("a")]


def test_the_time_of_the_injection_is_remembered(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / NAME)
    journal.intend(owed("a"))
    journal.injected(active(owed("a")))
    journal.close()
    assert read_owed(tmp_path / NAME)[0].fault.injected_at == 1_700_000_000.25


def test_what_was_struck_out_is_not_owed_any_more_and_striking_twice_is_nothing(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / NAME)
    journal.intend(owed("a"))
    journal.intend(owed("b", "node-1"))
    journal.strike("a", "undo")
    journal.strike("a", "undo")
    journal.close()
    assert owed_ids(tmp_path / NAME) == ["b"]


def test_no_journal_means_that_nothing_is_owed_and_asking_makes_none(tmp_path: Path) -> None:
    assert read_owed(tmp_path / NAME) == []
    assert not (tmp_path / NAME).exists()


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    open_journal(tmp_path / "state" / NAME).close()
    assert (tmp_path / "state" / NAME).stat().st_mode & 0o777 == 0o600


def test_an_intent_is_fsynced_file_and_directory_before_intend_returns(tmp_path: Path) -> None:
    synced: list[tuple[str, int]] = []

    def fsync(fd: int) -> None:
        is_directory = os.fstat(fd).st_mode & 0o170000 == 0o040000
        synced.append(("directory" if is_directory else "file", os.fstat(fd).st_size))
        os.fsync(fd)

    journal = UndoJournal(tmp_path / NAME, fsync=fsync)
    synced.clear()
    journal.intend(owed("a"))
    size = (tmp_path / NAME).stat().st_size
    journal.close()
    assert synced[0] == ("file", size)
    assert [what for what, _ in synced] == ["file", "directory"]


def test_cut_at_any_byte_no_complete_intent_is_lost_and_nothing_is_invented(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    ends: list[tuple[int, list[str]]] = [(0, [])]

    def step(do: Callable[[], None], then: list[str]) -> None:
        do()
        ends.append((path.stat().st_size, then))

    step(lambda: journal.intend(owed("a")), ["a"])
    step(lambda: journal.injected(active(owed("a"))), ["a"])
    step(lambda: journal.intend(owed("b", "node-1")), ["a", "b"])
    step(lambda: journal.strike("a", "undo"), ["b"])
    step(lambda: journal.intend(owed("c", "node-2")), ["b", "c"])
    journal.close()
    whole = path.read_bytes()
    assert ends[-1][0] == len(whole)

    for cut in range(len(whole) + 1):
        copy = tmp_path / f"cut-{cut}"
        copy.write_bytes(whole[:cut])
        # A record counts from its last byte on; the newline after it may be missing.
        expected = next(then for end, then in reversed(ends) if max(0, end - 1) <= cut)
        assert [one.fault.id for one in read_owed(copy)] == expected, cut
        assert owed_ids(copy) == expected, cut
        # Whatever the cut left, the journal goes on from there.
        again = open_journal(copy, unsynced)
        assert again.notices == []
        again.intend(owed("z", "node-5"))
        again.close()
        assert owed_ids(copy) == [*expected, "z"], cut
        copy.unlink()
    assert not list(tmp_path.glob("*.corrupt-*"))


def test_a_torn_end_is_mended_and_said(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    journal.intend(owed("a"))
    journal.close()
    path.write_bytes(path.read_bytes() + b'{"crc":12,"rec')
    journal = open_journal(path)
    assert [one.fault.id for one in journal.owed()] == ["a"]
    assert "cut short" in journal.notices[0]
    journal.close()


def test_zeroes_at_the_end_as_a_power_cut_leaves_them_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    journal.intend(owed("a"))
    journal.close()
    path.write_bytes(path.read_bytes() + bytes(300))
    assert owed_ids(path) == ["a"]
    assert not list(tmp_path.glob("*.corrupt-*"))


@pytest.mark.parametrize(
    "garbage",
    [
        b"\xff\xfe\x00garbage",
        b"{}",
        b"[1,2]",
        b'"text"',
        b"7",
        b"null",
        b'{"crc":1,"record":{"event":"struck"}}',
        b"[" * 5000,
    ],
)
def test_a_damaged_journal_is_kept_aside_said_so_and_what_can_be_read_is_carried_over(
    tmp_path: Path, garbage: bytes
) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    journal.intend(owed("a"))
    journal.close()
    first = path.read_bytes()
    journal = open_journal(path)
    journal.intend(owed("b", "node-1"))
    journal.close()
    second = path.read_bytes()[len(first) :]
    damaged = first + garbage + b"\n" + second
    path.write_bytes(damaged)

    journal = open_journal(path)
    aside = tmp_path / "undo.journal.corrupt-20231114T221320Z"
    assert [one.fault.id for one in journal.owed()] == ["a", "b"]
    assert aside.read_bytes() == damaged
    assert aside.name in journal.notices[0]
    assert "2 faults" in journal.notices[0]
    journal.close()
    assert open_journal(path).notices == []


def test_a_flipped_bit_is_damage_not_another_pid(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    journal.intend(owed("a"))
    journal.close()
    path.write_bytes(path.read_bytes().replace(b"4711", b"4712"))
    journal = open_journal(path)
    assert journal.owed() == []
    assert len(list(tmp_path.glob("*.corrupt-*"))) == 1
    journal.close()


def test_two_damaged_journals_of_one_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / NAME
    for number in range(2):
        path.write_bytes(b"damage %d\n" % number)
        open_journal(path).close()
    kept = sorted(tmp_path.glob("*.corrupt-*"))
    assert [one.read_bytes() for one in kept] == [b"damage 0\n", b"damage 1\n"]


def test_opening_forgets_what_was_struck_out_so_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / NAME
    journal = open_journal(path)
    for number in range(50):
        journal.intend(owed(f"f{number}"))
        journal.strike(f"f{number}", "undo")
    journal.intend(owed("last"))
    journal.close()
    assert owed_ids(path) == ["last"]
    assert path.read_bytes().count(b"\n") == 1


def test_a_record_of_a_newer_version_is_passed_over(tmp_path: Path) -> None:
    import json
    import zlib

    path = tmp_path / NAME
    body = json.dumps(
        {"event": "annotated", "id": "a", "at": 1.0, "colour": "red"}, separators=(",", ":"), sort_keys=True
    )
    path.write_text(f'{{"crc":{zlib.crc32(body.encode())},"record":{body}}}\n')
    journal = open_journal(path)
    assert (journal.owed(), journal.notices) == ([], [])
    journal.close()


class FullDisk:
    """An fsync that fails as it does on a full or broken disk, while ``broken``."""

    broken = False

    def __call__(self, fd: int) -> None:
        if self.broken:
            raise OSError(28, "No space left on device")
        os.fsync(fd)


def test_an_intent_that_cannot_be_written_is_refused_and_leaves_no_half_line(tmp_path: Path) -> None:
    path, disk = tmp_path / NAME, FullDisk()
    journal = UndoJournal(path, fsync=disk)
    journal.intend(owed("a"))
    disk.broken = True
    with pytest.raises(Unavailable, match="No space left on device"):
        journal.intend(owed("b", "node-1"))
    assert [one.fault.id for one in journal.owed()] == ["a"]
    disk.broken = False
    journal.intend(owed("c", "node-2"))
    journal.close()
    assert owed_ids(path) == ["a", "c"]


def test_a_strike_that_cannot_be_written_leaves_the_fault_owed(tmp_path: Path) -> None:
    path, disk = tmp_path / NAME, FullDisk()
    journal = UndoJournal(path, fsync=disk)
    journal.intend(owed("a"))
    disk.broken = True
    with pytest.raises(Unavailable):
        journal.strike("a", "undo")
    assert [one.fault.id for one in journal.owed()] == ["a"]
    journal.close()


def test_a_journal_that_is_a_directory_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(Unavailable, match="cannot be opened") as refused:
        open_journal(tmp_path / NAME)
    assert "--state-dir" in refused.value.hint
    with pytest.raises(Unavailable, match="cannot be read"):
        read_owed(tmp_path / NAME)
