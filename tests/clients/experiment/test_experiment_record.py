"""What a run showed: detections, recoveries, outages, errors; and the picture of it."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.clients import bodies

from operator_clients.experiment.chart import Bar, Chart, Span, StepSpan, make_chart
from operator_clients.experiment.document import make_document
from operator_clients.experiment.markdown import render, sketch
from operator_clients.experiment.model import Experiment
from operator_clients.experiment.outcome import Expectation, Outcome, StepResult
from operator_clients.experiment.plot import Mark, draw, place, ticks
from operator_clients.experiment.record import Record, growth
from operator_clients.experiment.svg import CHARACTER_PX
from operator_protocol.frames import Frame, Header
from operator_protocol.models import Fault
from operator_protocol.records import to_body

WALL = 1_000_000.0


def see(record: Record, at: float, topic: str, body: object) -> None:
    record.see(Frame(topic, Header(1, "b", 1, 1, WALL + at, at, "x"), to_body(body)))


def sample(record: Record, at: float, rate: float, elapsed: float, **rest: object) -> None:
    body = bodies.sample(rate, 0, elapsed=elapsed, degraded=rate < 1000, **rest)
    see(record, at, "workload.sample", body)


@pytest.fixture
def record() -> Record:
    """A second of load before, an outage of two samples, and one that was late by a second."""
    record = Record()
    for at, rate, errors in ((9.0, 2000, 5), (10.0, 1990, 5), (11.0, 100, 7), (13.0, 0, 9), (14.0, 1900, 1)):
        sample(record, at, float(rate), at - 5, errors=errors)
        if at == 10.0:
            see(record, 10.52, "violation.opened", bodies.violation("valkey-4"))
            see(record, 10.55, "violation.opened", bodies.violation("valkey-1"))
            see(record, 10.6, "fault.injected", bodies.fault("f", injected_at=WALL + 10.5))
        if at == 13.0:
            see(record, 13.1, "fault.recovering", bodies.fault("f", "recovering"))
            see(record, 13.6, "fault.recovered", bodies.fault("f", "recovered", recovered_by="undo"))
    return record


def ours(record: Record, fault: Fault) -> None:
    record.ours(fault, 1, lambda wall: wall - WALL)


def test_a_fault_that_turns_out_to_be_ours_is_known_from_its_first_frame_on(record: Record) -> None:
    ours(record, bodies.fault("f", injected_at=WALL + 10.5))
    track = record.tracks["f"]
    assert track.injected == pytest.approx(10.5)
    assert (track.recovering, track.recovered) == (13.1, 13.6)
    assert track.recovery_s == pytest.approx(0.5)
    assert not track.owed
    assert record.known_faults() == {"f"}


def test_a_fault_is_detected_by_a_violation_on_its_target_even_before_its_frame(record: Record) -> None:
    ours(record, bodies.fault("f", injected_at=WALL + 10.5))
    opened = record.detection(record.tracks["f"])
    assert opened is not None
    assert (opened.at, opened.violation.node) == (10.55, "valkey-1")


def test_an_outage_counts_the_time_that_its_samples_cover_and_a_gap_with_it(record: Record) -> None:
    assert record.longest_outage_s(10.5) == pytest.approx(3.0)
    assert record.longest_outage_s(13.5) == 0.0


def test_errors_are_counted_across_a_load_that_begins_anew(record: Record) -> None:
    assert record.errors(10.5) == 4 + 1
    assert growth([3, 5, 5, 2, 4]) == 2 + 2 + 2


def test_frames_that_cannot_be_read_are_passed_over() -> None:
    record = Record()
    record.see(Frame("workload.sample", Header(1, "b", 1, 1, 1.0, 1.0, "x"), {"ops_per_sec": "many"}))
    record.see(Frame("fault.injected", Header(1, "b", 1, 1, 1.0, 1.0, "x"), {}))
    assert record.samples == []
    assert record.known_faults() == frozenset()


def outcome(**rest: object) -> Outcome:
    steps = [StepResult(1, "fault", "kill", 5, "kill primary", "done", 2.5, 0.2, "kill valkey-1")]
    members: dict[str, object] = {"began": 8.0, "took_s": 7.0, "started_at": WALL, "steps": steps} | rest
    return Outcome(**members)  # type: ignore[arg-type]  # as the test wrote it


def test_document_and_markdown_tell_the_same_story(record: Record) -> None:
    ours(record, bodies.fault("f", injected_at=WALL + 10.5))
    expected = Expectation("detection of kill | it", "max_detection", True, limit=2.0, measured=0.05, unit="s")
    experiment, run = Experiment("x.toml", "Kill *it*", ()), outcome(expectations=[expected])
    document, chart = make_document(experiment, run, record), make_chart("Kill it", run, record)
    assert document["schema"] == "operator.experiment.report"
    assert (document["verdict"], document["exit_code"]) == ("passed", 0)
    fault = document["faults"][0]
    assert (fault["injected_s"], fault["recovered_s"], fault["recovery_took_s"]) == (2.5, 5.6, 0.5)
    assert (fault["detected"]["after_s"], fault["detected"]["node"]) == (0.05, "valkey-1")
    assert document["load"]["lowest"] == 0.0
    assert document["load"]["baseline"] == 2000.0
    text = render(document, chart, "x.svg")
    assert "# Kill \\*it\\*" in text
    assert "| ✅ | detection of kill \\| it | at most 2 s | 0.050 s | max_detection |" in text
    assert "![" in text
    assert "(x.svg)" in text
    assert "F fault, D detected, R recovered" in text


def chart_of(spans: list[Span], bars: list[Bar] | None = None) -> Chart:
    made = [Bar(float(i), i + 1.0, 2000.0 - 90 * i, 3.0 * i, False, {"READ": 0.3 * (i + 1)}) for i in range(20)]
    return Chart("A <b>", "passed", 20.0, made if bars is None else bars, spans, [StepSpan(1, 3, 5)], 2000.0, 1000.0)


@pytest.mark.parametrize(
    "chart",
    [
        chart_of([Span("kill valkey-1", 5.0, 12.0, 13.0, 5.04, "node_down")]),
        chart_of([Span("kill valkey-1", 5.0, None, None, None, "")]),
        chart_of([], []),
        chart_of([], [Bar(0.0, 1.0, 0.0, 0.0, False, {})]),
    ],
)
def test_the_plot_is_well_formed_and_stays_inside_its_edges(chart: Chart) -> None:
    root = ET.fromstring(draw(chart))  # noqa: S314  # it is our own
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert root[0].text == "A <b>"
    for part in root.iter():
        for name, limit in (("x", width), ("x1", width), ("x2", width), ("y", height), ("y1", height), ("y2", height)):
            assert 0 <= float(part.attrib.get(name, 0)) <= limit
    told = [part.text for part in root.iter() if part.tag.endswith("text")]
    assert "operations per second" in told
    assert "seconds since the run began" in told


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(3, 60)), max_size=8))
def test_labels_never_cover_each_other(raw: list[tuple[float, int]]) -> None:
    marks = sorted(Mark(at, "x" * size, "injected") for at, size in raw)
    lanes: dict[int, list[tuple[float, float]]] = {}
    for one in place(marks, lambda at: 80 + at * 8):
        x, width = 80 + one.mark.at_s * 8, len(one.mark.text) * CHARACTER_PX
        lanes.setdefault(one.lane, []).append((x - width, x) if one.leftwards else (x, x + width))
    for extents in lanes.values():
        for (_, end), (begin, _) in pairwise(sorted(extents)):
            assert end <= begin


@given(st.floats(0.01, 1e7), st.integers(2, 12))
def test_ticks_are_round_and_within(highest: float, about: int) -> None:
    found = ticks(highest, about)
    assert found[0] == 0
    assert found[-1] <= highest * 1.001
    assert 1 <= len(found) <= about + 2


def test_the_sketch_shows_the_lowest_sample_of_a_column_and_marks_side_by_side() -> None:
    bars = [Bar(float(i), i + 1.0, 0.0 if i == 50 else 1000.0, 0.0, False, {}) for i in range(100)]
    chart = chart_of([Span("kill valkey-1", 50.0, 70.0, 71.0, 50.01, "node_down")], bars)
    lines = sketch(Chart("t", "passed", 100.0, bars, chart.spans, [], None, None), 20)
    assert lines[0] == "██████████▁█████████  up to 1,000 ops/s"
    assert lines[1].startswith("          FD──R")
    assert lines[2] == "0 s" + " " * 12 + "100 s"
