"""The quantities that a condition may name: what there is, in which unit, and how it is read from the state."""

import difflib
import re

from operator_protocol.models import LatencySummary, Node, ProcessState, Scalar, WorkloadSample
from operator_protocol.state import State

Path = tuple[str, ...]

CLUSTER = ("ok", "reason", "nodes", "nodes_up", "nodes_degraded", "nodes_down", "nodes_unknown")
WORKLOAD = ("ops_per_sec", "errors_per_sec", "degraded", "baseline", "threshold", "operations", "errors", "elapsed")
FIGURES = ("p50", "p90", "p95", "p99", "max", "count")
NODE = ("state", "role", "group", "leader", "address")
PROCESS = ("state", "restarts", "pid", "exit_code", "signal", "cpu_percent", "rss")
SEVERITIES = ("info", "warning", "critical")
_COUNTS = ("violations", "tickets", "faults")
_UNITS: dict[Path, str] = {
    ("workload", "ops_per_sec"): "ops/s",
    ("workload", "baseline"): "ops/s",
    ("workload", "threshold"): "ops/s",
    ("workload", "errors_per_sec"): "errors/s",
}
_HELP = (
    "cluster.ok, workload.ops_per_sec, workload.errors_per_sec, workload.latency.READ.p99, baseline, violations, "
    "tickets, faults, node.NODE.state or process.NAME.state"
)
_ANY = "*"
_NAME = re.compile(r"[\w$][\w$-]*")


def check_path(path: Path) -> None:
    """Raise ``ValueError``, with what there is, for a path that can never have a value."""
    root, rest = path[0], path[1:]
    if path == ("baseline",) or (root in _COUNTS and not rest):
        return
    if root == "cluster":
        _one_of(path, CLUSTER)
    elif root == "workload" and rest[:1] == ("latency",):
        if len(rest) != 3:
            raise ValueError(f"{'.'.join(path)!r}: write it as workload.latency.OPERATION.p99, or .*. for the highest")
        _one_of(path, FIGURES, 3)
    elif root == "workload":
        _one_of(path, (*WORKLOAD, "latency"))
    elif root == "violations":
        if len(rest) != 1 or not _NAME.fullmatch(rest[0]):
            raise ValueError(f"{'.'.join(path)!r}: write it as violations.INVARIANT or violations.critical")
    elif root == "node":
        if rest[1:2] != ("detail",) or len(rest) != 3:
            _one_of(path, (*NODE, "detail.KEY"), 2)
    elif root == "process":
        _one_of(path, PROCESS, 2)
    else:
        raise ValueError(f"there is no quantity {'.'.join(path)!r}; there are {_HELP}; a text stands in quotes")


def unit_of(path: Path) -> str:
    """The unit of a quantity; empty for counts and states."""
    if path == ("baseline",):
        return "ops/s"
    if path[:2] == ("workload", "latency"):
        return "" if path[-1] == "count" else "ms"
    if path[0] == "process" and path[-1] == "rss":
        return "bytes"
    return _UNITS.get(path, "")


def cluster_value(state: State, what: str) -> Scalar:
    """A quantity of ``cluster.``; None when it is not known."""
    if state.cluster is None:
        return None
    if what == "ok":
        return state.cluster.ok
    if what == "reason":
        return state.cluster.reason
    nodes = state.nodes.values()
    return len(nodes) if what == "nodes" else sum(node.state == what.removeprefix("nodes_") for node in nodes)


def workload_value(sample: WorkloadSample, rest: Path) -> Scalar:
    """A quantity of ``workload.``; None when the source has none."""
    if rest[0] != "latency":
        return _member(sample, rest[0])
    operation, figure = rest[1], rest[2]
    if operation != _ANY:
        summary = sample.latency.get(operation)
        return _figure(summary, figure) if summary else None
    known = [value for one in sample.latency.values() if one.count and (value := _figure(one, figure)) is not None]
    return max(known, default=None)


def violations_value(state: State, rest: Path) -> int:
    """How many violations are open: all, of one severity, or of one invariant."""
    if not rest:
        return len(state.violations)
    key = "severity" if rest[0] in SEVERITIES else "invariant"
    return sum(getattr(one, key) == rest[0] for one in state.violations.values())


def node_value(node: Node, rest: Path) -> Scalar:
    """A quantity of ``node.NODE.``."""
    return node.detail.get(rest[1]) if rest[0] == "detail" else _member(node, rest[0])


def process_value(process: ProcessState, what: str) -> Scalar:
    """A quantity of ``process.NAME.``."""
    return _member(process, what)


def _member(record: object, name: str) -> Scalar:
    value = getattr(record, name)
    return value if isinstance(value, str | int | float | bool) else None


def _figure(summary: LatencySummary, name: str) -> float | None:
    value = getattr(summary, name)
    return float(value) if isinstance(value, int | float) else None


def _one_of(path: Path, known: tuple[str, ...], position: int = 1) -> None:
    said = ".".join(path[position:])
    if said in known:
        return
    stem = ".".join(path[:position])
    close = difflib.get_close_matches(said, known, n=1)
    told = f"did you mean {stem}.{close[0]}?" if close else f"there are {', '.join(known)}"
    raise ValueError(f"there is no quantity {'.'.join(path)!r}; {told}")
