"""The report as one JSON document (schema in docs/experiments.md)."""

import dataclasses
from typing import Any

from operator_clients.experiment.judging import baseline, lowest_throughput
from operator_clients.experiment.model import Experiment
from operator_clients.experiment.outcome import Outcome, SteadyResult
from operator_clients.experiment.record import Record, Track

SCHEMA = "operator.experiment.report"
SCHEMA_VERSION = 1
Document = dict[str, Any]


def make_document(experiment: Experiment, outcome: Outcome, record: Record) -> Document:
    """Everything that is known of the run. Times in seconds since it began; ``_at`` is wall clock."""
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "title": experiment.title,
        "description": experiment.description,
        "file": experiment.path,
        "verdict": outcome.verdict,
        "reason": outcome.reason,
        "exit_code": outcome.exit_code,
        "started_at": round(outcome.started_at, 3),
        "took_s": outcome.took_s,
        "daemon": {"subject": outcome.subject, "version": outcome.version, "boot_id": outcome.boot_id},
        "steady_state": {"before": _steady(outcome.before), "after": _steady(outcome.after)},
        "steps": [dataclasses.asdict(step) for step in outcome.steps],
        "expectations": [dataclasses.asdict(one) for one in outcome.expectations],
        "faults": [_fault(record, track, outcome.began) for track in record.tracks.values()],
        "rollback": dataclasses.asdict(outcome.rollback),
        "load": _load(record, outcome.began),
        "timeline": [
            {"at_s": round(one.at - outcome.began, 3), "topic": one.topic, "text": one.text}
            for one in sorted(record.timeline, key=lambda one: one.at)
        ],
        "gaps": outcome.gaps,
    }


def _steady(result: SteadyResult | None) -> Document | None:
    if result is None:
        return None
    conditions = [
        {
            "text": one.text,
            "holds": one.verdict.holds,
            "left": one.verdict.left,
            "right": one.verdict.right,
            "why": one.verdict.why,
        }
        for one in result.conditions
    ]
    return {"held": result.held, "took_s": result.took_s, "conditions": conditions}


def _fault(record: Record, track: Track, began: float) -> Document:
    opened, fault = record.detection(track), track.fault
    detected = None
    if opened is not None and track.injected is not None:
        detected = {
            "at_s": _since(opened.at, began),
            "after_s": round(max(0.0, opened.at - track.injected), 3),
            "invariant": opened.violation.invariant,
            "node": opened.violation.node,
            "message": opened.violation.message,
        }
    return {
        "id": fault.id,
        "step": track.step,
        "kind": fault.kind,
        "target": fault.target,
        "role": fault.role,
        "params": dict(fault.params),
        "injected_s": _since(track.injected, began),
        "detected": detected,
        "recovering_s": _since(track.recovering, began),
        "recovered_s": _since(track.recovered, began),
        "recovery_took_s": None if track.recovery_s is None else round(track.recovery_s, 3),
        "recovered_by": fault.recovered_by,
        "owed": track.owed,
    }


def _load(record: Record, began: float) -> Document:
    disturbed = record.disturbed()
    begin = disturbed[0] if disturbed else float("-inf")
    lowest, normal = lowest_throughput(record), baseline(record)
    return {
        "baseline": None if normal is None else round(normal, 1),
        "threshold": next((one.sample.threshold for one in reversed(record.samples) if one.sample.threshold), None),
        "lowest": None if lowest is None else round(lowest, 1),
        "longest_outage_s": round(record.longest_outage_s(begin), 2),
        "errors": record.errors(begin),
        "samples": [
            {
                "at_s": _since(at, began),
                "ops_per_sec": round(sample.ops_per_sec, 1),
                "errors_per_sec": round(sample.errors_per_sec, 1),
                "degraded": sample.degraded,
                "p99_ms": {name: one.p99 for name, one in sample.latency.items() if one.count},
            }
            for at, sample in record.samples
        ],
    }


def _since(at: float | None, began: float) -> float | None:
    return None if at is None else round(at - began, 3)
