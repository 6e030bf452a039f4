"""What ``[expect]`` says of the run as a whole, held against what was recorded."""

from operator_clients.experiment.holding import Watch, figure
from operator_clients.experiment.model import Expectations
from operator_clients.experiment.outcome import Expectation, Rollback
from operator_clients.experiment.record import Record, Track
from operator_clients.experiment.steps import called
from operator_clients.experiment.world import World


def judge_run(expect: Expectations, record: Record, world: World, rollback: Rollback) -> list[Expectation]:
    """One judgement for each key of ``[expect]``, and always: nothing of this run is owed."""
    injected = [track for track in record.tracks.values() if track.injected is not None]
    found: list[Expectation] = []
    if expect.max_detection_s is not None:
        found += [_detection(expect.max_detection_s, record, track) for track in injected] or [
            _nothing("detection", "max_detection", expect.max_detection_s)
        ]
    if expect.max_recovery_s is not None:
        found += [_recovery(expect.max_recovery_s, track) for track in injected] or [
            _nothing("recovery", "max_recovery", expect.max_recovery_s)
        ]
    if expect.max_outage_s is not None:
        found.append(_outage(expect.max_outage_s, record))
    if expect.lowest_throughput is not None:
        found.append(_lowest(expect, record, world))
    if expect.max_errors is not None:
        begin = _begin(record)
        errors = record.errors(begin) if record.samples else None
        met = errors is not None and errors <= expect.max_errors
        note = "" if record.samples else "the load gave no sample"
        found.append(
            Expectation("errors of the load", "max_errors", met, "at most", expect.max_errors, errors, "", note)
        )
    owed = sum(track.owed for track in record.tracks.values())
    left = owed if rollback.verified else max(owed, 1)
    note = "" if rollback.verified else rollback.message
    found.append(Expectation("faults of this run owed at the end", "always", left == 0, "exactly", 0, left, "", note))
    return found


def judge_watch(watch: Watch) -> Expectation:
    """A condition that was watched while the steps ran."""
    note = f"worst {figure(watch.worst, watch.condition.unit)}" if watch.worst is not None else ""
    return Expectation(
        f"{watch.condition.text}, while the steps ran: longest break",
        "steady_state",
        watch.longest_break_s <= watch.tolerate_s if watch.tolerate_s else watch.longest_break_s == 0,
        limit=watch.tolerate_s,
        measured=round(watch.longest_break_s, 3),
        unit="s",
        note=note,
    )


def _detection(limit_s: float, record: Record, track: Track) -> Expectation:
    opened = record.detection(track)
    measured = None if opened is None or track.injected is None else round(max(0.0, opened.at - track.injected), 3)
    note = "no violation was opened" if opened is None else _seen_as(opened.violation.invariant, opened.violation.node)
    return Expectation(
        f"detection of {called(track.fault)}",
        "max_detection",
        measured is not None and measured <= limit_s,
        limit=limit_s,
        measured=measured,
        unit="s",
        note=note,
    )


def _seen_as(invariant: str, node: str | None) -> str:
    return f"as {invariant} on {node or 'the cluster'}"


def _recovery(limit_s: float, track: Track) -> Expectation:
    measured = None if track.recovery_s is None else round(track.recovery_s, 3)
    return Expectation(
        f"recovery of {called(track.fault)}, verified",
        "max_recovery",
        measured is not None and measured <= limit_s,
        limit=limit_s,
        measured=measured,
        unit="s",
        note=f"by {track.fault.recovered_by}" if track.fault.recovered_by else "" if measured else "never",
    )


def _outage(limit_s: float, record: Record) -> Expectation:
    measured = round(record.longest_outage_s(_begin(record)), 2) if record.samples else None
    return Expectation(
        "longest outage of the load",
        "max_outage",
        measured is not None and measured <= limit_s,
        limit=limit_s,
        measured=measured,
        unit="s",
        note="" if record.samples else "the load gave no sample",
    )


def lowest_throughput(record: Record) -> float | None:
    """The lowest sample from the first injection to the one that covers the last recovery."""
    begin, end = record.disturbed() or (float("-inf"), float("inf"))
    return min((one.sample.ops_per_sec for one in record.between(begin, end)), default=None)


def baseline(record: Record) -> float | None:
    """The load's baseline as of the first injection, else the last one."""
    begin = _begin(record)
    known = [one for one in record.samples if one.sample.baseline is not None]
    before = [one for one in known if one.at < begin]
    chosen = before or known
    return chosen[-1].sample.baseline if chosen else None


def _lowest(expect: Expectations, record: Record, world: World) -> Expectation:
    lowest = lowest_throughput(record)
    limit = expect.lowest_throughput.value(world.read) if expect.lowest_throughput else None
    wanted = limit.value if limit is not None else None
    known = isinstance(wanted, int | float) and lowest is not None
    note = "" if known else "the load gave no sample" if lowest is None else limit.why if limit else ""
    if expect.lowest_throughput is not None and expect.lowest_throughput.paths and known:
        note = expect.lowest_throughput.text
    return Expectation(
        "lowest throughput",
        "lowest_throughput",
        lowest is not None and isinstance(wanted, int | float) and lowest >= wanted,
        "at least",
        limit=round(float(wanted), 1) if isinstance(wanted, int | float) else None,
        measured=round(lowest, 1) if lowest is not None else None,
        unit="ops/s",
        note=note,
    )


def _nothing(what: str, where: str, limit_s: float) -> Expectation:
    return Expectation(what, where, met=False, limit=limit_s, unit="s", note="no fault was injected")


def _begin(record: Record) -> float:
    disturbed = record.disturbed()
    return disturbed[0] if disturbed else float("-inf")
