"""Facts for a diagnosis, each one sentence or table that can be cited by its number.

Nothing in here concludes: "PD still holds tikv1 for Up, its last heartbeat is 7 s old" is a fact, "tikv1 crashed" is
not.
"""

from collections.abc import Iterable

from operator_protocol.models import EvidenceItem, Node
from operatord.subjects.base import Observation
from operatord.subjects.tikv.answers import Directory, Scrape
from operatord.subjects.tikv.health import PD, TIKV

GIB = 1 << 30
_MOST_NODES = 12
"""Named one by one; of a larger cluster those that are not well, and the number of the others."""
_CONTACTS = {
    "answered": "answers",
    "refused": "refuses connections: nothing listens there",
    "silent": "accepts connections and has not answered for {silent:.1f} s",
    "unreachable": "neither accepts nor refuses connections",
    "unasked": "was not asked",
}
_FIGURES = {
    "p99_ms": "p99 {:,.1f} ms",
    "ops_per_sec": "{:,.0f} requests/s",
    "raft_log_lag": "raft log lag {:,.0f} entries",
    "scheduler_pending": "{:,.0f} writes waiting",
    "cpu_cores": "{:,.2f} cores of CPU",
}


def of(seen: Observation, directory: Directory, scrape: Scrape, node_id: str | None) -> list[EvidenceItem]:
    """Evidence about ``node_id``, or about the whole cluster without one."""
    node = seen.node(node_id) if node_id else None
    facts = [("topology", _directory(seen, directory)), *_stores(seen)]
    if node is not None:
        facts += _about(node)
    facts += [("topology", fact) for fact in _regions(seen, directory, node) if fact]
    if scrape.configured:
        facts.append(("metric", _metrics(scrape)))
    return [EvidenceItem(id=number, kind=kind, text=text) for number, (kind, text) in enumerate(facts, start=1)]


def _directory(seen: Observation, directory: Directory) -> str:
    pds = [node for node in seen.nodes if node.role == PD]
    listed = ", ".join(f"{node.id} {node.state}{' and leads' if node.leader else ''}" for node in pds)
    if directory.known:
        return f"PD answers and {directory.leader} leads it: {listed}."
    return f"PD tells nothing of the stores: {directory.trouble}. {listed}."


def _stores(seen: Observation) -> Iterable[tuple[str, str]]:
    stores = [node for node in seen.nodes if node.role == TIKV]
    named = stores if len(stores) <= _MOST_NODES else [node for node in stores if node.state != "up"][:_MOST_NODES]
    rows = [
        f"{node.id} {node.state}, PD holds it for {node.detail.get('pd_state') or 'nothing it tells'}"
        + (f", leads {node.detail['leaders']} of {node.detail['regions']} regions" if "leaders" in node.detail else "")
        for node in named
    ]
    rest = len(stores) - len(named)
    if rows or rest:
        yield "topology", "; ".join([*rows, *([f"{rest} other stores"] if rest else [])]) + "."


def _about(node: Node) -> Iterable[tuple[str, str]]:
    detail = node.detail
    contact = _CONTACTS[str(detail.get("contact") or "unasked")].format(silent=detail.get("silent_for_s") or 0.0)
    port = "status port" if node.role == TIKV else "own port"
    yield "process", f"The {port} of {node.id} {contact}."
    if "container_state" in detail:
        code = detail.get("exit_code")
        ended = f", exit code {code}" if code is not None and detail.get("container_state") != "running" else ""
        oom = ", ended by the kernel for want of memory" if detail.get("oom_killed") else ""
        yield "process", f"The container of {node.id} is {detail.get('container_state')}{ended}{oom}."
    if detail.get("data_port") not in (None, "unasked"):
        contact = _CONTACTS[str(detail["data_port"])].format(silent=detail.get("silent_for_s") or 0.0)
        yield "process", f"The port of {node.id} for clients {contact}."
    if node.role == PD:
        healthy = {True: "healthy", False: "unhealthy"}.get(detail.get("healthy"), "")  # type: ignore[call-overload]  # any scalar may be asked for
        if healthy:
            yield "topology", f"The other PDs hold {node.id} for {healthy}."
        return
    if "pd_state" in detail:
        age = detail.get("heartbeat_age_s")
        heard = f"; its last heartbeat is {age:.1f} s old" if isinstance(age, int | float) else ""
        yield "topology", f"PD holds {node.id} (store {detail.get('store_id')}) for {detail['pd_state']}{heard}."
    if detail.get("evicting"):
        yield "topology", f"An evict-leader scheduler is set for {node.id}: it may lead no region."
    yield from _disk(node)
    figures = [
        text.format(value) for key, text in _FIGURES.items() if isinstance(value := detail.get(key), int | float)
    ]
    if figures:
        yield "metric", f"Prometheus on {node.id}: {', '.join(figures)}."


def _disk(node: Node) -> Iterable[tuple[str, str]]:
    capacity, available, used = (node.detail.get(key) for key in ("capacity", "available", "used"))
    if isinstance(capacity, int | float) and isinstance(available, int | float) and capacity:
        own = f", {used / GIB:,.1f} GiB of it are TiKV's data" if isinstance(used, int | float) else ""
        room = f"{available / GIB:,.1f} of {capacity / GIB:,.1f} GiB are available ({available / capacity:.0%})"
        taken = f"{(capacity - available) / GIB:,.1f} GiB are in use{own}"
        yield "metric", f"The disk of {node.id}: {room}; {taken}."


def _regions(seen: Observation, directory: Directory, node: Node | None) -> Iterable[str]:
    if directory.stats is not None:
        led = {one.id: one.detail.get("leaders") for one in seen.nodes if "leaders" in one.detail}
        if len(led) <= _MOST_NODES:
            listed = ", ".join(f"{name} {count}" for name, count in led.items())
            yield f"{directory.stats.count:,} regions; leaders by store: {listed}."
        else:
            own = f" {node.id} leads {led.get(node.id)}." if node is not None and node.id in led else ""
            yield f"{directory.stats.count:,} regions on {len(led):,} stores.{own}"
    wrong = {problem: count for problem, count in (directory.problems or {}).items() if count}
    if wrong:
        yield "Regions with a problem: " + ", ".join(f"{count:,} {problem}" for problem, count in wrong.items()) + "."


def _metrics(scrape: Scrape) -> str:
    if scrape.fresh:
        return f"Prometheus answered {scrape.silent_for_s:.0f} s ago."
    told = f" ({scrape.trouble})" if scrape.trouble else ""
    return f"Prometheus has not answered for {scrape.silent_for_s:.0f} s{told}: latency and lag are not known."
