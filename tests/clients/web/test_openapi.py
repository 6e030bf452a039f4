"""What the OpenAPI document says is what the gateway does: schemathesis asks what nobody would, and compares."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from tests.clients import bodies
from tests.clients.scripted import ScriptedDaemon
from tests.clients.web.waiting import until_live
from tests.real_gateway import RealGateway, running_gateway

from operator_clients.web.app import OPENAPI_URL
from operator_protocol.codec import Body
from operator_protocol.errors import Conflict, NotFound
from operator_protocol.records import to_body

ENDLESS = "/api/stream"
_LIMITS = """
[web.limits]
requests_per_s = 100000
burst = 100000
commands_per_s = 100000
commands_burst = 100000
failures_per_min = 1000000
"""


def _ticket(args: Body) -> Body:
    if args["id"] != 7:
        raise NotFound(f"there is no ticket {args['id']}")
    return {"ticket": to_body(bodies.ticket(7)), "violation": "v1", "history": []}


def _refuse(_: Body) -> Body:
    raise Conflict("the present state forbids it")


@pytest.fixture(scope="module")
def open_gateway(scripted: ScriptedDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """One whose daemon answers everything, and which slows nobody down."""
    scripted.on("tickets", lambda _: {"tickets": [to_body(bodies.ticket(7))], "next": None})
    scripted.on("ticket", _ticket)
    scripted.on("actions", lambda _: {"actions": []})
    scripted.on("faults", lambda _: {"kinds": [], "owed": []})
    scripted.on("devops", lambda _: {"current": None, "recent": []})
    for cmd in ("next", "goto", "reject", "recover"):
        scripted.on(cmd, lambda _: {"done": True})
    for cmd in ("previous", "fault", "approve"):
        scripted.on(cmd, _refuse)
    directory: Path = tmp_path_factory.mktemp("open")
    (directory / "web.toml").write_text(_LIMITS)
    options = ("--config", str(directory / "web.toml"), "--mock-metrics", "--mock-k8s")
    with running_gateway(directory, *options, runtime_dir=scripted.directory) as running:
        until_live(running)
        yield running


@pytest.fixture(scope="module")
def api(open_gateway: RealGateway) -> BaseSchema:
    """The document, as it is served."""
    document = schemathesis.openapi.from_url(open_gateway.url + OPENAPI_URL)
    return document.exclude(path=ENDLESS)


def _ask(api: BaseSchema, gateway: RealGateway, *, examples: int) -> list[str]:
    """Every operation, with so many requests each; returns what did not agree with the document."""
    quiet = settings(
        max_examples=examples, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    wrong = []
    operations = [result.ok() for result in api.get_all_operations() if isinstance(result, Ok)]
    for operation, mode in itertools.product(operations, GenerationMode):

        @quiet
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            case.call_and_validate(headers={"Authorization": f"Bearer {gateway.token}"}, timeout=60)

        try:
            ask()
        except Unsatisfiable:
            pass  # what takes nothing cannot be given anything wrong
        except (Exception, FailureGroup) as error:
            # All of them, not the first. A group of failures is no Exception.
            wrong.append(f"{operation.label}: {error}")
    return wrong


def test_every_route_does_what_the_document_says(api: BaseSchema, open_gateway: RealGateway) -> None:
    assert not _ask(api, open_gateway, examples=2)


@pytest.mark.soak
def test_every_route_does_what_the_document_says_at_length(api: BaseSchema, open_gateway: RealGateway) -> None:
    assert not _ask(api, open_gateway, examples=200)


def _keywords(node: Any) -> Iterator[str]:
    """The keywords in the schemas under this node."""
    if isinstance(node, dict):
        yield from node
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _keywords(one)


def test_bounds_of_numbers_have_the_names_that_json_schema_gives_them(open_gateway: RealGateway) -> None:
    keywords = set(_keywords(open_gateway.get(OPENAPI_URL).json()["components"]["schemas"]))
    assert {"minimum", "maximum"} <= keywords
    assert not {"ge", "gt", "le", "lt"} & keywords


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/k8s/nodes?serach=a", "/api/k8s/nodes takes status, search"),
        ("/api/k8s/health?fresh=1", "/api/k8s/health takes none"),
    ],
)
def test_a_query_that_names_what_there_is_not_is_refused_with_what_there_is(
    open_gateway: RealGateway, path: str, hint: str
) -> None:
    answer = open_gateway.get(path)
    name = path.partition("?")[2].partition("=")[0]
    assert (answer.status_code, answer.json()) == (
        422,
        {"error": {"code": "bad_parameter", "message": f"there is no parameter '{name}'", "hint": hint}},
    )


def test_a_body_that_is_no_text_is_refused_as_the_document_says(open_gateway: RealGateway) -> None:
    headers = {"Authorization": f"Bearer {open_gateway.token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{open_gateway.url}/api/demo/goto", content=b"\xf1\x85/", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")
    assert "400" in open_gateway.get(OPENAPI_URL).json()["paths"]["/api/demo/goto"]["post"]["responses"]


def test_the_document_has_every_route_and_the_errors_that_the_guard_gives(open_gateway: RealGateway) -> None:
    document = open_gateway.get(OPENAPI_URL).json()
    assert ENDLESS in document["paths"]
    assert set(document["paths"]) >= {
        "/api/daemons",
        "/api/state",
        "/api/tickets/{id}",
        "/api/session",
        "/api/faults",
        "/api/devops/activity",
        "/api/metrics/services/health",
        "/api/metrics/services/{name}/sparkline",
        "/api/k8s/health",
        "/api/k8s/nodes",
        "/api/k8s/pods",
        "/metrics",
        "/healthz",
        "/readyz",
    }
    operations = [one for path in document["paths"].values() for one in path.values()]
    assert all({"403", "421", "429"} <= set(operation["responses"]) for operation in operations)
    changing = [one for path in document["paths"].values() for method, one in path.items() if method != "get"]
    assert all(operation["security"] == [{"controlToken": []}] for operation in changing)
