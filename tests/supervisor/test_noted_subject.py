"""What a state directory remembers of the cluster that a daemon worked on."""

from pathlib import Path

import pytest

from operator_protocol.errors import Conflict
from operator_protocol.models import Fault
from operatord.config import Config
from operatord.faults.undo_journal import Owed, UndoJournal
from operatord.noted_subject import NotedSubject, noted_subject

ATTACHED = Config.model_validate({"subject": {"tikv": {"pd": "http://a:1", "tls_ca": "", "p99_ms": 5.0}}})
OTHER = Config.model_validate({"subject": {"tikv": {"pd": "http://b:1"}}})


def test_where_an_attached_cluster_is_is_read_back_and_takes_precedence(tmp_path: Path) -> None:
    NotedSubject.of("tikv", ATTACHED).note(tmp_path)
    found = noted_subject(tmp_path)
    assert found == NotedSubject("tikv", {"pd": "http://a:1"})
    assert found.apply(Config()).subject.tikv == {"pd": "http://a:1"}
    assert found.apply(OTHER).subject.tikv["pd"] == "http://a:1"


def test_of_a_cluster_of_our_own_only_the_name_is_noted(tmp_path: Path) -> None:
    NotedSubject.of("valkey", ATTACHED).note(tmp_path)
    found = noted_subject(tmp_path)
    assert found == NotedSubject("valkey")
    assert found.apply(ATTACHED) is ATTACHED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "tikv", "attached": 1}', "\x00"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "subject.json").write_text(text)
    assert noted_subject(tmp_path) is None


def test_a_cluster_in_which_something_is_owed_is_not_forgotten(tmp_path: Path) -> None:
    NotedSubject.of("tikv", ATTACHED).note(tmp_path)
    journal = UndoJournal(tmp_path / "undo.journal")
    journal.intend(Owed(Fault("f1", "evict-leader", "tikv0", "active", "tikv", owed=True), {}, "cluster 7"))
    journal.close()
    for config, name in ((OTHER, "tikv"), (ATTACHED, "valkey")):
        with pytest.raises(Conflict, match="still owed in the cluster of http://a:1: evict-leader on tikv0"):
            NotedSubject.of(name, config).note(tmp_path)
    NotedSubject.of("tikv", ATTACHED).note(tmp_path)


def test_what_is_owed_in_a_cluster_of_our_own_is_settled_before_another_is_attached_to(tmp_path: Path) -> None:
    NotedSubject("tikv").note(tmp_path)
    journal = UndoJournal(tmp_path / "undo.journal")
    journal.intend(Owed(Fault("f1", "partition", "tikv0", "active", "tikv", owed=True), {}, "abc"))
    journal.close()
    with pytest.raises(Conflict, match="still owed in the cluster of this directory: partition on tikv0"):
        NotedSubject.of("tikv", ATTACHED).note(tmp_path)
    NotedSubject("tikv").note(tmp_path)
