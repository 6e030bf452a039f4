"""The HTTP side: lists with pages, single objects, figures, stats, events and logs of a population."""

import base64
import json
import re
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standins.serving import Server

from .faults import Fault, delay, instead, reset, spoil, status
from .population import Population, log_lines

TOKEN = "standin-token"  # noqa: S105  # of nothing
LOG_LINES = 5_000
"""Lines that each container printed."""
_KINDS = {"pods": ("PodList", "v1"), "nodes": ("NodeList", "v1"), "events": ("EventList", "v1")}
_ONE = re.compile(
    r"/api/v1(?:/namespaces/(?P<namespace>[^/]+))?/(?P<kind>pods|nodes|events|namespaces)"
    r"(?:/(?P<name>[^/]+)(?P<rest>/.*)?)?"
)
_METRICS = re.compile(r"/apis/metrics\.k8s\.io/v1beta1/nodes(?:/(?P<name>[^/]+))?")


class Entry(NamedTuple):
    """An object and what is sent of it in a list."""

    value: Mapping[str, Any]
    data: bytes


class Reply(NamedTuple):
    code: int
    body: object
    """Bytes as they are, anything else as JSON."""
    kind: str = ""


class KubernetesApi:
    """A server on the loopback interface. ``requests`` has the path and query of each question since it was cleared."""

    def __init__(self, population: Population, port: int = 0, token: str = TOKEN) -> None:
        self.population = population
        self.token = token
        self.fault = Fault()
        self.mended = threading.Event()
        """The fault that was there when somebody took this is not there any more."""
        self.requests: list[str] = []
        self._lists: dict[str, list[Entry]] = {}
        self._summaries: dict[str, bytes] = {}
        self._port = port
        self._server: Server | None = None
        self.refresh()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def refresh(self) -> None:
        """Serve the population as it is now."""
        self._summaries = {}
        events = sorted(self.population.events(), key=lambda one: one["metadata"]["name"])
        found = {"pods": self.population.pods.values(), "nodes": self.population.nodes.values(), "events": events}
        self._lists = {kind: [Entry(one, _compact(one)) for one in values] for kind, values in found.items()}

    def start(self) -> None:
        """Listen, on the port of before if there was one."""
        self._server = Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Listen no more; what is asked over open connections ends them."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    @property
    def listening(self) -> bool:
        return self._server is not None

    def break_(self, fault: Fault) -> None:
        """From here on this is wrong, and nothing else."""
        self.fault = fault
        self.mended.set()
        self.mended = threading.Event()

    def kubeconfig(self, path: Path, *, token: str | None = None) -> Path:
        """Write one that leads here."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "standin",
            "clusters": [{"name": "standin", "cluster": {"server": self.url}}],
            "users": [{"name": "console", "user": {"token": self.token if token is None else token}}],
            "contexts": [{"name": "standin", "context": {"cluster": "standin", "user": "console"}}],
        }
        path.write_text(json.dumps(config))
        return path

    # answers

    def answer(self, target: str) -> Reply:
        """To a GET of ``target``."""
        parts = urlsplit(target)
        path, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        if metrics := _METRICS.fullmatch(path):
            return self._metrics(metrics["name"])
        found = _ONE.fullmatch(path)
        if found is None or found["kind"] == "namespaces":
            return Reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
        kind, name, namespace = found["kind"], found["name"], found["namespace"] or ""
        if name is None:
            return self._list(kind, namespace, query)
        objects = self.population
        one = objects.pods.get((namespace, name)) if kind == "pods" else objects.nodes.get(name)
        if one is None:
            return Reply(404, status(404, "NotFound", f'{kind} "{name}" not found', name=name, kind=kind))
        match kind, found["rest"]:
            case _, None:
                return Reply(200, {"kind": kind[:-1].capitalize(), "apiVersion": "v1", **one})
            case "pods", "/log":
                return _log(one, query)
            case "nodes", "/proxy/stats/summary":
                return self._summary(name)
            case _:
                return Reply(404, status(404, "NotFound", "the server could not find the requested resource"))

    def _list(self, kind: str, namespace: str, query: Mapping[str, str]) -> Reply:
        entries: Iterable[Entry] = self._lists[kind]
        if namespace:
            entries = (one for one in entries if one.value["metadata"]["namespace"] == namespace)
        if selector := query.get("fieldSelector"):
            wanted = [term.replace("==", "=").partition("=")[::2] for term in selector.split(",")]
            entries = (one for one in entries if all(_field(one.value, path) == value for path, value in wanted))
        found = entries if isinstance(entries, list) else list(entries)
        start = _position(query["continue"]) if "continue" in query else 0
        if "continue" in query and self.fault.kind == "expired":
            message = "The provided continue parameter is too old to display a consistent list result."
            return Reply(410, status(410, "Expired", message))
        limit = int(query.get("limit", "0")) or len(found)
        page = found[start : start + limit]
        left = len(found) - start - len(page)
        metadata: dict[str, Any] = {"resourceVersion": "5000000"}
        if left > 0:
            metadata |= {"continue": _token(start + limit), "remainingItemCount": left}
        named, version = _KINDS[kind]
        head = json.dumps({"kind": named, "apiVersion": version, "metadata": metadata}, separators=(",", ":"))
        return Reply(200, head[:-1].encode() + b',"items":[' + b",".join(one.data for one in page) + b"]}\n")

    def _metrics(self, name: str | None) -> Reply:
        metrics = self.population.metrics
        version = {"apiVersion": "metrics.k8s.io/v1beta1"}
        if name is None:
            return Reply(200, {"kind": "NodeMetricsList", **version, "metadata": {}, "items": list(metrics.values())})
        if name not in metrics:
            message = f'nodemetrics.metrics.k8s.io "{name}" not found'
            return Reply(404, status(404, "NotFound", message, name=name, kind="nodes"))
        return Reply(200, {"kind": "NodeMetrics", **version, **metrics[name]})

    def _summary(self, name: str) -> Reply:
        # Made once: whoever measures a client must not measure this.
        if name not in self._summaries:
            summary = self.population.summary(name)
            if summary is None:
                message = "error trying to reach service: dial tcp 192.0.2.8:10250: connect: no route to host"
                return Reply(503, status(503, "ServiceUnavailable", message))
            self._summaries[name] = _compact(summary)
        return Reply(200, self._summaries[name])


def _log(one: Mapping[str, Any], query: Mapping[str, str]) -> Reply:
    name, states = one["metadata"]["name"], one["status"].get("containerStatuses", [])
    names = [found["name"] for found in one["spec"]["containers"]]
    container = query.get("container") or (names[0] if len(names) == 1 else "")
    if not container:
        message = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
        return Reply(400, status(400, "BadRequest", message))
    if container not in names:
        message = f"container {container} is not valid for pod {name}"
        return Reply(400, status(400, "BadRequest", message))
    waiting = next((found["state"].get("waiting") for found in states if found["name"] == container), None)
    if "nodeName" not in one["spec"] or (waiting and waiting["reason"] != "CrashLoopBackOff"):
        message = f'container "{container}" in pod "{name}" is waiting to start: ContainerCreating'
        return Reply(400, status(400, "BadRequest", message))
    lines = list(log_lines(LOG_LINES))[-int(query.get("tailLines", LOG_LINES)) :]
    data = "".join(f"{line}\n" for line in lines).encode()
    # The kubelet counts from the front: the oldest of the lines that were asked for are those that are kept.
    return Reply(200, data[: int(query.get("limitBytes", len(data)))], "text/plain")


def _handler(api: KubernetesApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one segment: two would wait for each other's acknowledgement, 40 ms of it.
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            mended = api.mended
            fault = api.fault if api.fault.on in self.path else Fault()
            if fault.kind == "down" or not api.listening:
                self.close_connection = True
                reset(self.connection)
                return
            api.requests.append(self.path)
            delay(fault, mended)
            path = unquote(urlsplit(self.path).path)
            found = instead(fault, path)
            if found is not None:
                reply = Reply(*found)
            elif self.headers.get("Authorization") != f"Bearer {api.token}":
                reply = Reply(401, status(401, "Unauthorized", "Unauthorized"))
            else:
                reply = api.answer(self.path)
            self._send(reply, fault)

        def do_PUT(self) -> None:
            """``/standin/fault`` with a fault as JSON: for who runs the stand-in as a process of its own."""
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            api.break_(Fault(**body))
            self._send(Reply(200, {}), Fault())

        def _send(self, reply: Reply, fault: Fault) -> None:
            data = reply.body if isinstance(reply.body, bytes) else _compact(reply.body)
            self.send_response(reply.code)
            self.send_header("Content-Type", reply.kind or "application/json")
            self.send_header("Content-Length", str(len(data)))
            if reply.code == 302:
                self.send_header("Location", f"{api.url}/elsewhere")
            if reply.code == 429:
                self.send_header("Retry-After", "1")
            self.end_headers()
            if not spoil(self, fault, data):
                self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
            """Requests are not logged."""

    return Handler


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _field(value: Any, path: str) -> str:
    for key in path.split("."):
        value = value.get(key, "") if isinstance(value, Mapping) else ""
    return str(value)


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(_compact({"v": "meta.k8s.io/v1", "rv": 5_000_000, "start": start})).decode()


def _position(token: str) -> int:
    found: int = json.loads(base64.urlsafe_b64decode(token))["start"]
    return found
