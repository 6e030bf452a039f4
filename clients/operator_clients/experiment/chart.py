"""What the plot shows, as numbers: seconds since the run began, operations per second, milliseconds."""

from dataclasses import dataclass
from typing import NamedTuple

from operator_clients.experiment.judging import baseline
from operator_clients.experiment.outcome import Outcome
from operator_clients.experiment.record import Record
from operator_clients.experiment.steps import called

_JITTER_S = 0.5
"""A sample that is told this much late still follows the one before it."""


class Bar(NamedTuple):
    """One sample of the load: what it says covers the time from ``begin`` to ``end``."""

    begin: float
    end: float
    ops_per_sec: float
    errors_per_sec: float
    degraded: bool
    p99_ms: dict[str, float]
    """By operation."""


class Span(NamedTuple):
    """A fault in force; the last part of it, from ``recovering`` on, is its undoing."""

    what: str
    begin: float
    recovering: float | None
    end: float | None
    detected: float | None
    detected_as: str


class StepSpan(NamedTuple):
    """A step."""

    number: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One run."""

    title: str
    verdict: str
    end_s: float
    bars: list[Bar]
    spans: list[Span]
    steps: list[StepSpan]
    baseline: float | None
    threshold: float | None


def make_chart(title: str, outcome: Outcome, record: Record) -> Chart:
    """Take out of the record what is drawn."""
    began = outcome.began
    bars: list[Bar] = []
    for number, (at, sample) in enumerate(record.samples):
        before = record.samples[number - 1].sample.elapsed if number else sample.elapsed - 1.0
        covered = sample.elapsed - before
        begin = at - began - (covered if 0 < covered < 60 else 1.0)
        if bars and abs(begin - bars[-1].end) < _JITTER_S:
            begin = bars[-1].end
        p99 = {name: one.p99 for name, one in sample.latency.items() if one.count and one.p99 is not None}
        bars.append(Bar(begin, at - began, sample.ops_per_sec, sample.errors_per_sec, sample.degraded, p99))
    spans = []
    for track in record.tracks.values():
        if track.injected is None:
            continue
        opened = record.detection(track)
        spans.append(
            Span(
                called(track.fault),
                track.injected - began,
                None if track.recovering is None else track.recovering - began,
                None if track.recovered is None else track.recovered - began,
                None if opened is None else opened.at - began,
                "" if opened is None else opened.violation.invariant,
            )
        )
    steps = [
        StepSpan(step.number, step.began_s, step.began_s + (step.took_s or 0.0))
        for step in outcome.steps
        if step.began_s is not None
    ]
    normal = baseline(record)
    known = [one.sample.threshold for one in record.samples if one.sample.threshold is not None]
    ends = [outcome.took_s, *(bar.end for bar in bars), *(span.end for span in spans if span.end is not None)]
    return Chart(
        title=title,
        verdict=outcome.verdict,
        end_s=max(1.0, *ends),
        bars=[bar for bar in bars if bar.end > 0],
        spans=spans,
        steps=steps,
        baseline=normal,
        threshold=known[-1] if known else None,
    )
