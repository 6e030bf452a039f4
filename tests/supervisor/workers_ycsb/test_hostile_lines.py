"""No line of a load may end the tailer, or come out as a sample that cannot be published."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operator_protocol.codec import pack
from operator_protocol.models import WorkloadSample
from operator_protocol.records import to_body
from operatord.workers.ycsb.samples import READERS, Sampler

from .test_go_ycsb_report import SAMPLE, SAMPLE_OLD
from .test_status_line import JAVA, JAVA_COMMA, JAVA_EMPTY_INTERVAL, JAVA_NOTHING_YET, JAVA_OLD, JAVA_TIMESERIES

_KNOWN = [
    JAVA, JAVA_OLD, JAVA_COMMA, JAVA_TIMESERIES, JAVA_NOTHING_YET, JAVA_EMPTY_INTERVAL, SAMPLE, SAMPLE_OLD,
    "[OVERALL], Throughput(ops/sec), 98.91", "Run finished, takes 1m2.3s", "**** properties ****", "",
]  # fmt: skip
_NUMBERS = st.one_of(
    st.integers(-(10**400), 10**400).map(str),
    st.floats().map(str),
    st.sampled_from(
        ["NaN", "\ufffd", "", "-", "9223372036854775807", "1,2.3,4", "\u0663\u066b\u0665", "1e999", "9" * 5_000]
    ),
)
_OPERATIONS = st.sampled_from(["READ", "UPDATE", "READ-FAILED", "READ_ERROR", "TOTAL", "READ-MODIFY-WRITE", "É"])


@st.composite
def _java(draw: st.DrawFn) -> str:
    figures = " ".join(
        f"[{draw(_OPERATIONS)}: Count={draw(_NUMBERS)}, Max={draw(_NUMBERS)}, 99={draw(_NUMBERS)}]"
        for _ in range(draw(st.integers(0, 3)))
    )
    return f"label {draw(_NUMBERS)} sec: {draw(_NUMBERS)} operations; {draw(_NUMBERS)} current ops/sec; {figures}"


@st.composite
def _go(draw: st.DrawFn) -> str:
    return f"{draw(_OPERATIONS):<6} - Takes(s): {draw(_NUMBERS)}, Count: {draw(_NUMBERS)}, OPS: {draw(_NUMBERS)}"


@st.composite
def _damaged(draw: st.DrawFn) -> str:
    """A line of the wild, of which a piece is missing, or another stands in its place."""
    line = draw(st.sampled_from(_KNOWN))
    first = draw(st.integers(0, len(line)))
    last = draw(st.integers(first, len(line)))
    return line[:first] + draw(st.text(max_size=8)) + line[last:]


@pytest.mark.parametrize("line_format", sorted(READERS))
@given(lines=st.lists(st.one_of(_java(), _go(), _damaged(), st.sampled_from(_KNOWN)), max_size=12))
def test_no_line_ends_the_tailer_and_every_sample_can_be_published(line_format: str, lines: list[str]) -> None:
    sampler = Sampler(READERS[line_format](), 0, lambda: 0.0)
    found = [sampler.feed(line) for line in lines]
    for sample in (*found, sampler.flush()):
        if sample is not None:
            _check(sample)


def _check(sample: WorkloadSample) -> None:
    pack(to_body(sample))
    assert sample.ops_per_sec >= 0
    assert sample.errors_per_sec >= 0
    assert math.isfinite(sample.ops_per_sec)
    assert math.isfinite(sample.errors_per_sec)
    assert sample.operations >= 0
