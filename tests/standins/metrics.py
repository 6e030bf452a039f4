"""Real VictoriaMetrics and Prometheus with the series of a test, and a server that answers as badly as it is told."""

import contextlib
import shutil
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.ports import free_ports
from tests.standins.serving import Server, ask

_UP_WITHIN_S = 60.0


@dataclass(frozen=True)
class Series:
    """One series, and its value at each time that it has one."""

    name: str
    labels: Mapping[str, str]
    values: Mapping[float, float]

    @property
    def identity(self) -> str:
        labels = ",".join(f'{key}="{value}"' for key, value in self.labels.items())
        return f"{self.name}{{{labels}}}"


@contextlib.contextmanager
def victoria_metrics(directory: Path, series: Sequence[Series], *options: str) -> Iterator[str]:
    """Its URL, once ``series`` can be queried. Skips where VictoriaMetrics is not installed."""
    program = _program("victoria-metrics", "victoria-metrics")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [program, f"-storageDataPath={directory / 'victoria'}", f"-httpListenAddr=127.0.0.1:{port}"]
    command += ["-loggerLevel=ERROR", "-memory.allowedBytes=128MB", *options]
    with _running(command, directory, f"{url}/health"):
        lines = "".join(
            f"{one.identity} {value} {round(at * 1000)}\n" for one in series for at, value in one.values.items()
        )
        status, said = ask("POST", f"{url}/api/v1/import/prometheus", lines.encode(), timeout_s=30)
        assert status == 204, said
        # What was imported is searchable a second later, or at once when asked for.
        ask("GET", f"{url}/internal/force_flush", timeout_s=30)
        yield url


@contextlib.contextmanager
def prometheus_with(directory: Path, series: Sequence[Series]) -> Iterator[str]:
    """Its URL, with ``series`` as blocks of its database. Skips where Prometheus is not installed."""
    program = _program("prometheus", "prometheus")
    lines, names = [], {one.name for one in series}
    for name in sorted(names):
        # Of no type: OpenMetrics would hold counters to their endings.
        lines.append(f"# TYPE {name} unknown")
        for one in series:
            if one.name == name:
                lines += [f"{one.identity} {value} {at:.3f}" for at, value in one.values.items()]
    text = directory / "series.txt"
    text.write_text("\n".join([*lines, "# EOF", ""]))
    blocks = directory / "tsdb"
    promtool = [_program("promtool", "prometheus"), "tsdb", "create-blocks-from", "openmetrics", str(text), str(blocks)]
    subprocess.run(promtool, check=True, stdout=subprocess.DEVNULL, timeout=60)
    config = directory / "prometheus.yml"
    config.write_text("scrape_configs: []\n")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={blocks}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    with _running(command, directory, f"{url}/-/ready"):
        yield url


def _program(name: str, package: str) -> str:
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {package})")
    return program


@contextlib.contextmanager
def _running(command: Sequence[str], directory: Path, ready: str) -> Iterator[None]:
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + _UP_WITHIN_S
        while True:
            with contextlib.suppress(OSError):
                if ask("GET", ready)[0] == 200:
                    break
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < until, f"{command[0]} is not up after {_UP_WITHIN_S:g} s"
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


Answering = Callable[["MetricsServer", BaseHTTPRequestHandler], None]


@dataclass
class MetricsServer:
    """Answers the query API with ``value``, or as ``answering`` does it, and counts what it was asked."""

    url: str = ""
    value: float = 42.0
    answering: Answering | None = None
    asked: list[str] = field(default_factory=list)
    """The path of each question."""
    released: threading.Event = field(default_factory=threading.Event)
    """Set: those that were kept waiting by ``waits`` are let go."""

    def body(self, path: str) -> bytes:
        """What Prometheus would say."""
        if path.endswith("query_range"):
            result = f'"matrix","result":[{{"metric":{{}},"values":[[{time.time():.0f},"{self.value}"]]}}]'
        else:
            result = f'"vector","result":[{{"metric":{{}},"value":[{time.time():.3f},"{self.value}"]}}]'
        return f'{{"status":"success","data":{{"resultType":{result}}}}}'.encode()


@contextlib.contextmanager
def metrics_server() -> Iterator[MetricsServer]:
    """Listens on a port of its own."""
    state = MetricsServer()
    counting = threading.Lock()

    class Adapter(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with counting:
                state.asked.append(self.path)
            if state.answering is None:
                reply(self, state.body(self.path))
            else:
                state.answering(state, self)

        do_GET = do_POST  # noqa: N815  # the name that the library calls

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
            """Requests are not logged."""

    server = Server(("127.0.0.1", 0), Adapter)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=socketserver.BaseServer.serve_forever, args=(server, 0.02), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


def reply(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, kind: str = "application/json") -> None:
    """A whole answer."""
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def html(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """Another program behind that port."""
    reply(handler, b"<!doctype html><title>Welcome</title>", kind="text/html")


def half(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """The connection breaks in the middle of the answer."""
    handler.send_response(200)
    handler.send_header("Content-Length", "500")
    handler.end_headers()
    handler.wfile.write(b'{"status":"success","data":{"resu')
    handler.close_connection = True


def nonsense(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """JSON that says something else."""
    reply(handler, b'{"status":"success","data":[1,2,3]}')


def no_numbers(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """The right shape with the wrong things in it."""
    series = b'{"metric":{},"value":[1,"much"],"values":[[1,"much"]]}'
    kind = b"matrix" if handler.path.endswith("query_range") else b"vector"
    reply(handler, b'{"status":"success","data":{"resultType":"%s","result":[%s]}}' % (kind, series))


def no_times(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """Values at a time that JSON can spell and no clock shows."""
    series = b'{"metric":{},"value":[1e999,"1"],"values":[[1e999,"1"],[NaN,"1"]]}'
    kind = b"matrix" if handler.path.endswith("query_range") else b"vector"
    reply(handler, b'{"status":"success","data":{"resultType":"%s","result":[%s]}}' % (kind, series))


def failing(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """An error of the server."""
    reply(handler, b'{"status":"error","errorType":"internal","error":"out of disk"}', 500)


def elsewhere(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """The path is wrong: what VictoriaMetrics answers, 400 and not 404."""
    reply(handler, b'unsupported path requested: "/prefix/api/v1/query"', 400, "text/plain")


def refusing(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """Every query is bad."""
    reply(handler, b'{"status":"error","errorType":"bad_data","error":"parse error"}', 400)


def unauthorized(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """A proxy wants a password."""
    reply(handler, b"who are you?", 401, "text/plain")


def endless(_state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """More than anybody wants to read."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(1 << 40))
    handler.end_headers()
    with contextlib.suppress(OSError):
        while True:
            handler.wfile.write(b" " * 65536)
    handler.close_connection = True


def waits(state: MetricsServer, handler: BaseHTTPRequestHandler) -> None:
    """No answer until it is released."""
    state.released.wait(60)
    with contextlib.suppress(OSError):
        reply(handler, state.body(handler.path))
