"""The words fit the stage, whatever happens on it."""

import pytest

from operator_protocol.errors import Unavailable
from operator_protocol.models import ClusterHealth, Diagnosis, Fault, Node, Violation
from operatord.demo.chapter import ENGLISH, Chapter
from operatord.demo.chapters import CHAPTERS
from operatord.demo.narration import LINES, WIDTH
from operatord.demo.telling import Scene
from operatord.subjects.tikv.faults.catalogue import all_faults

LONG = "the primary of the shard that owns the slots from 0 to 5460 does not answer and nobody has taken over " * 4


def assert_fits(words: str) -> None:
    lines = words.splitlines()
    assert 1 <= len(lines) <= LINES
    assert all(0 < len(line) <= WIDTH for line in lines), words


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.title)
def test_the_longest_messages_are_cut_not_spilled(chapter: Chapter) -> None:
    fault = Fault("1", "kill", "valkey-0", "active", role="primary", owed=True)
    scene = Scene(
        cluster=ClusterHealth("valkey", False, LONG, [Node("valkey-0", "primary", "shard-0", "", "down")]),
        fault=fault,
        owed=[fault] * 40,
        detection=Violation("1", "node_down", "valkey-0", "critical", LONG, 0, 0),
        detected_after_s=0.21,
        diagnosis=Diagnosis(LONG, "valkey-0", "killed", LONG, 0.93, "rules"),
    )
    for one in (scene, Scene(), Scene(fault=fault), Scene(load_running=True)):
        assert_fits(chapter.narration(one))


@pytest.mark.parametrize("kind", [*all_faults(), "slow", "client-pause", "an-unknown-one"])
def test_every_kind_of_fault_has_words_that_fit_and_no_claim_of_a_death_but_for_a_kill(kind: str) -> None:
    counting = Fault("1", kind, "tikv2", "countdown", role="tikv", remaining=3)
    broken = Fault("1", kind, "tikv2", "active", role="tikv", owed=True)
    told = [ENGLISH.fault(Scene(countdown=counting)), ENGLISH.fault(Scene(fault=broken, owed=[broken]))]
    for words in told:
        assert_fits(words)
    assert ("as if its machine had died" in told[0]) is (kind == "kill")


def test_trouble_says_what_where_and_the_way_back() -> None:
    words = ENGLISH.trouble(Unavailable(LONG, LONG), 3)
    assert_fits(words)
    assert words.endswith("tries again.")
    first = ENGLISH.trouble(Unavailable("no primary is up"), 0)
    assert "←" not in first + ENGLISH.overdue("Waiting…", 30.0, 0)
    assert ENGLISH.overdue("a\nb\nc\nd", 3600.0, 12).splitlines()[:3] == ["a", "b", "c"]
    assert_fits(ENGLISH.overdue("a\nb\nc\nd", 3600.0, 12))
    assert_fits(ENGLISH.on_the_way("Stage 3: Fault Injection", words))
    short = ENGLISH.trouble(Unavailable("no primary is up", "operatorctl recover"), 3)
    assert short.splitlines() == [
        "That did not work: no primary is up (operatorctl recover)",
        "← goes back; operatorctl goto 3 tries again.",
    ]


def test_nodes_are_counted_in_the_words_of_their_subject() -> None:
    roles = ["primary"] * 3 + ["replica"] * 3
    nodes = [Node(f"n{number}", role, "g", "", "up") for number, role in enumerate(roles)]
    told = ENGLISH.cluster_health(Scene(cluster=ClusterHealth("valkey", True, "", nodes)))
    assert told.startswith("6 of 6 nodes are up: 3 primaries, 3 replicas.")
    nodes = [Node("pd1", "pd", "pd", "", "up"), *(Node(f"kv{n}", "tikv", "tikv", "", "up") for n in range(3))]
    told = ENGLISH.cluster_health(Scene(cluster=ClusterHealth("tikv", True, "", nodes)))
    assert told.startswith("4 of 4 nodes are up: 1 PD server, 3 TiKV stores.")
    assert "replica" not in told
    assert "regions" in told


def test_a_cluster_that_is_not_known_to_be_well_is_not_called_unhealthy() -> None:
    nodes = [Node("kv0", "tikv", "", "", "up")]
    told = ENGLISH.cluster_health(Scene(cluster=ClusterHealth("tikv", None, "no PD answers", nodes)))
    assert "is not known: no PD answers." in told
    assert "not healthy" not in told
    assert_fits(told)


def test_what_a_fault_does_to_others_is_told_by_the_role_of_its_target() -> None:
    def told(role: str) -> str:
        return ENGLISH.fault(Scene(fault=Fault("1", "kill", "n1", "active", role=role, owed=True), since_fault_s=2.0))

    assert "elect other leaders" in told("tikv")
    assert "replica has to take over" in told("primary")
    # The others of its group go on: no drop is announced.
    assert "drop" not in told("pd")
    assert all("a tikv" not in told(role) and "(tikv)" not in told(role) for role in ("tikv", "pd"))


def test_the_last_chapter_tells_only_what_was_measured() -> None:
    fault = Fault("1", "kill", "valkey-1", "recovered", role="primary")
    told = ENGLISH.complete(Scene(fault=fault, detected_after_s=0.21, baseline_ops=2000.4, lowest_ops=0.0))
    assert told.splitlines()[:2] == [
        "valkey-1 (primary) was killed: detected 0.2 s after the fault.",
        "The load: 2,000 ops/s before, 0 ops/s at worst.",
    ]


def test_the_last_chapter_has_room_for_its_thanks_whatever_was_broken() -> None:
    for kind in [*all_faults(), "client-pause", "failover", "cpu", "memory"]:
        fault = Fault("1", kind, "valkey-1", "recovered", role="primary")
        times = {"detected_after_s": 3.0, "first_answer_after_s": 3.5, "diagnosed_after_s": 5.1, "recovery_s": 0.3}
        told = ENGLISH.complete(Scene(fault=fault, **times, baseline_ops=2000.4, lowest_ops=0.0, after_ops=1999.0))  # type: ignore[arg-type]  # all are seconds
        assert "first answer 3.5 s, diagnosed 5.1 s" in told.replace("\n", " ")
        assert told.splitlines()[-1].endswith("Thank you for watching."), told
        assert "was given a fault" not in told


def test_what_is_broken_after_the_end_is_not_said_to_be_on_its_way_back() -> None:
    owed = [Fault("1", "slow", "valkey-0", "active", role="primary")]
    assert ENGLISH.complete(Scene(owed=owed)) == "Broken since the story ended: valkey-0. r recovers."
    assert ENGLISH.complete(Scene(owed=owed, working=True)).startswith("Bringing valkey-0 back")
