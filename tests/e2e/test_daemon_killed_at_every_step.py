"""The daemon is killed with -9 at every step of every fault: what it owed is undone, and nothing is left of it.

All of it takes half an hour, in ``make soak``; of each kind, one step is in ``make test``.
"""

import contextlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from tests.isolated import abilities, require_isolation

from operatord.isolation.names import Names

from . import deadly_hook
from .patient import Patient
from .real_daemon import until

ON_SERVERS = ["kill", "stop", "pause", "restart", "slow", "client-pause", "failover", "cpu", "memory", "disk"]
ON_THE_NETWORK = ["partition", "loss", "bandwidth", "latency"]
KINDS = [*ON_SERVERS, *ON_THE_NETWORK]
MIB = 1 << 20
PARAMS = {"memory": {"size": 48 * MIB}, "disk": {"size": 96 * MIB}, "client-pause": {"duration": 3.0}}

STEPS = {
    "before the intent": "intend:before",
    "after the intent": "intend:after",
    "early in the injection": "inject:1",
    "late in the injection": "inject:3",
    "after the injection": "injected:before",
    "in force": "injected:after",
    "early in the undo": "undo:1",
    "late in the undo": "undo:3",
    "before the strike-out": "strike:before",
    "after the strike-out": "strike:after",
}
NOTHING_OWED = ("before the intent", "after the strike-out")

Admit = Callable[[str, str], Patient]
"""For a kind of fault, and whether servers are kept."""

DYING, KEPT = "servers die", "servers stay"
LIVES, DIES = "keeper lives", "keeper dies"

SAMPLE = {
    ("kill", "after the intent", KEPT, LIVES),
    ("stop", "late in the injection", KEPT, LIVES),
    ("pause", "after the injection", KEPT, DIES),
    ("restart", "early in the injection", KEPT, LIVES),
    ("slow", "late in the injection", KEPT, DIES),
    ("client-pause", "in force", KEPT, LIVES),
    ("failover", "early in the undo", KEPT, LIVES),
    ("cpu", "late in the undo", KEPT, DIES),
    ("memory", "late in the injection", DYING, DIES),
    ("disk", "before the strike-out", DYING, LIVES),
    ("partition", "in force", KEPT, LIVES),
    ("loss", "early in the injection", KEPT, DIES),
    ("bandwidth", "before the intent", KEPT, LIVES),
}
"""What of the matrix is in ``make test``."""


def cases() -> Iterator[Any]:
    """Every step of every kind, with the keeper alive; and with the keeper killed, too, three steps of each kind."""
    for (position, kind), servers, keeper in product(enumerate(KINDS), (KEPT, DYING), (LIVES, DIES)):
        for number, step in enumerate(STEPS):
            sampled = (kind, step, servers, keeper) in SAMPLE
            if keeper == DIES and number % 4 != position % 4 and not sampled:
                continue
            marks = [] if sampled else [pytest.mark.soak]
            yield pytest.param(kind, step, servers, keeper, id=f"{kind}, {step}, {servers}, {keeper}", marks=marks)


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[tuple[str, ...], Patient]]:
    """The patients by their options: each outlives many a death."""
    patients: dict[tuple[str, ...], Patient] = {}
    with contextlib.ExitStack() as discharges:
        yield patients
        for patient in patients.values():
            discharges.callback(patient.daemon.end)


@pytest.fixture
def admit(ward: dict[tuple[str, ...], Patient], tmp_path_factory: pytest.TempPathFactory) -> Admit:
    def admitted(kind: str, servers: str) -> Patient:
        if kind in ON_THE_NETWORK:
            require_isolation()
        options = (
            *(["--keep-cluster"] if servers == KEPT else []),
            *(["--isolate"] if kind in ON_THE_NETWORK else []),
        )
        if options not in ward:
            ward[options] = Patient(tmp_path_factory.mktemp("d"), *options)
        ward[options].ready()
        return ward[options]

    return admitted


def fault_of(kind: str) -> dict[str, Any]:
    return {"kind": kind, "target": "primary", "countdown": 0, "params": PARAMS.get(kind, {})}


def require_nothing_left(patient: Patient, before: dict[str, object]) -> None:
    """After the undo, with no daemon: only kept servers are there, and they are as they were."""
    assert patient.owed() == []
    # Without a keeper nobody waits until what the kernel kills with the daemon has ended.
    until(lambda: not patient.helpers(), "all but the servers to be gone", 10)
    if patient.keeps:
        assert patient.traces() == before
    else:
        left = patient.traces()
        assert {what: found for what, found in left.items() if found} == {}
        assert Names.of(patient.daemon.state_dir).anything_there() == []


def require_health(patient: Patient, before: dict[str, object]) -> None:
    assert patient.daemon.healthy_status()["faults"] == []
    assert patient.owed() == []
    assert patient.traces() == before


@pytest.mark.parametrize(("kind", "step", "servers", "keeper"), list(cases()))
def test_the_system_ends_healthy_and_nothing_is_left(
    admit: Admit, kind: str, step: str, servers: str, keeper: str
) -> None:
    patient = admit(kind, servers)
    catalogue = patient.catalogue()
    assert sorted(catalogue) == sorted(KINDS)
    if missing := catalogue[kind]:
        assert kind == "latency" and missing in abilities().lacks.values(), missing
        return
    before, instance = patient.traces(), patient.instance()
    patient.die_at(STEPS[step], fault_of(kind), with_keeper=keeper == DIES)
    if keeper == LIVES:
        require_nothing_left(patient, before)
    elif step not in NOTHING_OWED:
        assert patient.owed() != []
    if keeper == DIES and kind in ("pause", "cpu", "slow", "partition"):
        patient.recover()
        if patient.keeps:
            require_nothing_left(patient, before)
    patient.start()
    require_health(patient, before)
    assert (patient.instance() == instance) is patient.keeps


AGAIN = [
    pytest.param("kill", "undo:1"),
    *(pytest.param(kind, "undo:1", marks=pytest.mark.soak) for kind in KINDS if kind != "kill"),
    *(pytest.param(kind, "strike:before", marks=pytest.mark.soak) for kind in KINDS),
]


@pytest.mark.parametrize(("kind", "step"), AGAIN)
def test_a_keepers_undo_that_is_killed_as_well_is_done_by_the_next_one(admit: Admit, kind: str, step: str) -> None:
    patient = admit(kind, KEPT)
    if patient.catalogue()[kind]:
        return
    before, instance = patient.traces(), patient.instance()
    patient.die_at("injected:after", fault_of(kind), and_then=(deadly_hook.RECOVER, step))
    assert patient.laid() == ""
    assert patient.owed() != []
    patient.recover()
    require_nothing_left(patient, before)
    patient.start()
    require_health(patient, before)
    assert patient.instance() == instance


@pytest.mark.soak
@pytest.mark.parametrize(("kind", "step"), AGAIN)
def test_a_start_that_is_killed_while_it_undoes_leaves_it_to_its_keeper(admit: Admit, kind: str, step: str) -> None:
    patient = admit(kind, KEPT)
    if patient.catalogue()[kind]:
        return
    before, instance = patient.traces(), patient.instance()
    patient.die_at("injected:after", fault_of(kind), with_keeper=True, and_then=(deadly_hook.DAEMON, step))
    assert patient.owed() != []
    # Without an occasion: what the adoption has mended is seen to be well, and struck out without an undo.
    if patient.start_in_vain():
        require_nothing_left(patient, before)
        patient.start()
    require_health(patient, before)
    assert patient.instance() == instance
