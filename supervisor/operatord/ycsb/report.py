"""What a run prints: the status line and the final block of Java YCSB, byte for byte where it matters.

One extension: percentiles include the 95th, because people ask for it. One difference in meaning: ``operations`` and
``current ops/sec`` count what succeeded; Java counts failures too, and a database that answers every request with an
error would look healthy.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime

from operatord.ycsb.binding import Status
from operatord.ycsb.measurements import Latency, Measurements


def decimal(value: float) -> str:
    """Java's ``DecimalFormat("#.##")`` in the root locale: at most two decimals, no trailing zeros."""
    if not math.isfinite(value):
        return "NaN"
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def status_line(
    *,
    now: datetime,
    elapsed_s: float,
    operations: int,
    current_ops: float,
    remaining_s: float | None,
    latencies: Mapping[str, Latency],
    label: str = "",
) -> str:
    """``2017-05-20 18:55:44:512 10 sec: 376385 operations; 37634.74 current ops/sec; est completion in … [READ: …]``.

    ``remaining_s`` is None for a run without an end.
    """
    stamp = f"{now:%Y-%m-%d %H:%M:%S}:{now.microsecond // 1000:03d}"
    parts = [f"{label}{stamp} {int(elapsed_s)} sec: {operations} operations; {decimal(current_ops)} current ops/sec; "]
    if remaining_s is not None:
        parts.append(f"est completion in {remaining(remaining_s)}")
    parts.extend(f"[{name}: {_interval(latency)}] " for name, latency in latencies.items())
    return "".join(parts).rstrip()


def remaining(seconds: float) -> str:
    """``2 minutes ``, ``1 hour 3 minutes ``, ``4 seconds ``: like ``RemainingFormatter``, with its trailing blank."""
    if not math.isfinite(seconds):
        return "unknown time "
    left = math.ceil(seconds)
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3_600)
    minutes, left = divmod(left, 60)
    parts = [_unit(days, "day"), _unit(hours, "hour")]
    if not days:
        parts.append(_unit(minutes, "minute"))
        if not hours and (left or not minutes):
            parts.append(_unit(left, "second") or "0 seconds ")
    return "".join(parts)


def final_block(runtime_s: float, operations: int, measurements: Measurements) -> Iterator[str]:
    """``[OVERALL], RunTime(ms), 10110`` and what follows, line by line."""
    runtime_ms = max(1, round(runtime_s * 1000))
    yield f"[OVERALL], RunTime(ms), {runtime_ms}"
    yield f"[OVERALL], Throughput(ops/sec), {operations * 1000 / runtime_ms}"
    for name, latency, returned in measurements.totals():
        if latency.count:
            yield f"[{name}], Operations, {latency.count}"
            yield f"[{name}], AverageLatency(us), {latency.average}"
            yield f"[{name}], MinLatency(us), {latency.lowest}"
            yield f"[{name}], MaxLatency(us), {latency.highest}"
            for percentile in (50.0, 95.0, 99.0):
                yield f"[{name}], {percentile:g}thPercentileLatency(us), {latency.percentiles[percentile]}"
        for status in Status:
            if returned.get(status):
                yield f"[{name}], Return={status.value}, {returned[status]}"


def _interval(latency: Latency) -> str:
    percentiles = ", ".join(f"{percentile:g}={value}" for percentile, value in latency.percentiles.items())
    return (
        f"Count={latency.count}, Max={latency.highest}, Min={latency.lowest}, "
        f"Avg={decimal(latency.average)}, {percentiles}"
    )


def _unit(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'} " if number else ""
