"""What is known of containers, from looks and events in any order that the engine may send them."""

import json

import pytest

from operator_protocol.errors import Conflict, NotFound, OperatorError, Unavailable
from operatord.workers.docker.containers import Containers, ContainerState, Event, parse_event
from operatord.workers.docker.refusals import refusal

RUNNING = ContainerState("tikv1", "p-tikv1-1", "c1", "running", since_at=100.0, health="healthy")

# As an engine of version 20.10 wrote it.
DIE = json.loads(
    '{"status":"die","id":"c1","from":"pingcap/tikv:v8.5.5","Type":"container","Action":"die","Actor":{"ID":"c1",'
    '"Attributes":{"com.docker.compose.project":"p","com.docker.compose.service":"tikv1","exitCode":"137",'
    '"image":"pingcap/tikv:v8.5.5","name":"p-tikv1-1"}},"scope":"local","time":110,"timeNano":110500000000}'
)


def event(action: str, at: float = 110.0, container: str = "c1", value: str = "", code: int | None = None) -> Event:
    return Event("tikv1", "p-tikv1-1", container, action, at, value, code)


def known(*states: ContainerState) -> Containers:
    containers = Containers()
    containers.see(states or [RUNNING], looked_at=105.0)
    return containers


def test_a_line_of_the_engine_tells_the_service_the_moment_and_the_exit_code() -> None:
    assert parse_event(DIE) == Event("tikv1", "p-tikv1-1", "c1", "die", 110.5, "", 137)


def test_the_outcome_of_a_health_check_is_the_value_of_its_event() -> None:
    line = {**DIE, "Action": "health_status: unhealthy"}
    found = parse_event(line)
    assert found is not None
    assert (found.action, found.value) == ("health_status", "unhealthy")


@pytest.mark.parametrize("line", [{}, {"Type": "network"}, {"Type": "container", "Actor": {"Attributes": {}}}])
def test_what_tells_of_no_container_of_a_service_is_no_event(line: dict[str, object]) -> None:
    assert parse_event(line) is None


def test_a_container_that_died_has_its_exit_code_and_the_moment() -> None:
    containers = known()
    assert containers.tell(event("die", 110.0, code=137))
    state = containers.states["tikv1"]
    assert (state.state, state.exit_code, state.since_at, state.health) == ("exited", 137, 110.0, "")


def test_running_out_of_memory_is_remembered_until_the_next_start() -> None:
    containers = known()
    containers.tell(event("oom", 110.0))
    containers.tell(event("die", 110.1, code=137))
    assert containers.states["tikv1"].oom_killed
    containers.tell(event("start", 120.0))
    assert containers.states["tikv1"] == ContainerState("tikv1", "p-tikv1-1", "c1", "running", since_at=120.0)


def test_an_event_from_before_the_look_changes_nothing() -> None:
    containers = known()
    assert not containers.tell(event("die", 104.9, code=137))
    assert containers.states["tikv1"].state == "running"


def test_an_event_that_the_look_saw_already_changes_nothing_the_second_time() -> None:
    paused = ContainerState("tikv1", "p-tikv1-1", "c1", "paused", since_at=110.0)
    containers = known(paused)
    assert not containers.tell(event("pause", 110.0))


def test_the_end_of_a_container_that_was_replaced_is_not_the_end_of_the_new_one() -> None:
    containers = known()
    assert not containers.tell(event("die", 110.0, container="c0", code=0))
    assert containers.tell(event("create", 111.0, container="c2"))
    assert containers.states["tikv1"].state == "created"
    assert not containers.tell(event("destroy", 112.0, container="c1"))


def test_a_container_that_the_look_does_not_find_any_more_is_missing_since_then() -> None:
    containers = known()
    containers.see([], looked_at=200.0)
    containers.see([], looked_at=300.0)
    assert (containers.states["tikv1"].state, containers.states["tikv1"].since_at) == ("missing", 200.0)


def test_without_an_engine_nothing_is_known() -> None:
    containers = known()
    containers.forget()
    assert not containers.states


@pytest.mark.parametrize(
    ("said", "kind", "word"),
    [
        ("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?", Unavailable, "engine"),
        ("Error response from daemon: Container abc is not running", Conflict, "not running"),
        ("Error response from daemon: No such container: x", NotFound, "No such container"),
        (
            (
                " Container a  Starting\nError response from daemon: driver failed programming external connectivity "
                "on endpoint a: Error starting userland proxy: listen tcp4 127.0.0.1:2379: bind: address already in use"
            ),
            Conflict,
            "127.0.0.1:2379",
        ),
        (
            (
                "failed to create network p_cluster: Error response from daemon: Pool overlaps with other one on this "
                "address space"
            ),
            Conflict,
            "subnet",
        ),
        (
            "Error response from daemon: pull access denied for pingcap/pd, repository does not exist",
            Unavailable,
            "load it first",
        ),
        ("", Unavailable, "said nothing"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_do(said: str, kind: type[OperatorError], word: str) -> None:
    error = refusal("doing it", said)
    assert type(error) is kind
    assert word in f"{error} {error.hint}"
    assert "\n" not in str(error)
