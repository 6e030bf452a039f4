"""Recordings that are given away: packed, with a label in them."""

import gzip
from pathlib import Path

import pytest
from tests.protocol.journals import Press

from operator_protocol import journal
from operator_protocol.codec import pack
from operator_protocol.errors import BadRequest
from operator_protocol.journal import CHECKPOINT, Records, encode_record, open_journal, split_record
from operator_protocol.recording import Recording


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    press = Press(tmp_path)
    path = press.begin("x.opj")
    for _ in range(50):
        press.publish("heartbeat", {"seq": press.seq + 1}, after_s=1.0)
    press.end()
    return path


def packed(plain: Path, data: bytes | None = None) -> Path:
    path = plain.with_name("x.opj.gz")
    path.write_bytes(gzip.compress(plain.read_bytes()) if data is None else data)
    return path


def test_a_packed_recording_is_what_is_in_it(plain: Path) -> None:
    path = packed(plain)
    with Recording.open(plain) as one, Recording.open(path) as other:
        assert len(one) == len(other) == 51
        assert [one.read(entry) for entry in range(51)] == [other.read(entry) for entry in range(51)]
        assert (one.duration_s, one.notes()) == (other.duration_s, other.notes())
    assert sorted(plain.parent.iterdir()) == [plain, path]


def test_a_packed_recording_with_a_torn_end_tells_so_by_its_name(plain: Path) -> None:
    with Recording.open(packed(plain, gzip.compress(plain.read_bytes()[:-5]))) as recording:
        assert recording.notes()[0].startswith("x.opj.gz ends in a torn record")


@pytest.mark.parametrize("cut", [3, 12, 200])
def test_one_that_cannot_be_unpacked_is_refused_by_its_name(plain: Path, cut: int) -> None:
    whole = gzip.compress(plain.read_bytes())
    for data in (whole[:cut], whole[:cut] + bytes(40)):
        with pytest.raises(BadRequest, match=r"x\.opj\.gz is damaged: "):
            Recording.open(packed(plain, data))


def test_one_that_is_packed_and_something_else_is_no_journal(plain: Path) -> None:
    with pytest.raises(BadRequest, match=r"x\.opj\.gz is not a journal of operatord"):
        Recording.open(packed(plain, gzip.compress(b"something else")))


def test_one_that_would_fill_the_disk_is_refused(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "_MAX_UNPACKED_BYTES", 100)
    with pytest.raises(BadRequest, match="holds more than"):
        Recording.open(packed(plain))


def test_the_label_of_a_recording_is_read_from_its_checkpoint(plain: Path) -> None:
    with open_journal(plain) as file:
        parts = [split_record(payload) for _, payload in Records(file)]
    with Recording.open(plain) as recording:
        assert recording.label == ""
        first = recording.read(0)
    assert first is not None
    assert first.topic == CHECKPOINT
    for label, read in (("of stand-ins", "of stand-ins"), (7, ""), ("", "")):
        parts[0][2] = pack({**first.body, "label": label})
        plain.write_bytes(journal.MAGIC + b"".join(encode_record(one) for one in parts))
        with Recording.open(plain) as recording:
            assert recording.label == read
