"""The report for people: tables of what was expected and done, a plot, and the same plot in characters."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from operator_clients.experiment.chart import Chart
from operator_clients.experiment.document import Document
from operator_clients.experiment.holding import figure

_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLUMNS = 72
_VERDICTS = {
    "passed": "✅ passed",
    "failed": "❌ failed",
    "refused": "❌ refused",
    "timed_out": "❌ timed out",
    "daemon_lost": "❌ the daemon went away",
    "interrupted": "⏹ interrupted",
    "terminated": "⏹ terminated",
}


def render(report: Document, chart: Chart, plot: str | None) -> str:
    """The Markdown text; ``plot`` is the name of the SVG beside it."""
    lines = [f"# {_plain(report['title'])}", "", f"**{_VERDICTS[report['verdict']]}**{_because(report)}", ""]
    if report["description"]:
        lines += [report["description"], ""]
    daemon = report["daemon"]
    subject = f" on {_plain(daemon['subject'])}, operatord {_plain(daemon['version'])}" if daemon["subject"] else ""
    lines += [f"{_utc(report['started_at'])}, {report['took_s']:.0f} s{subject}, from `{report['file']}`.", ""]
    lines += _expectations(report)
    lines += _plot(chart, plot)
    lines += _steps(report) + _faults(report) + _steady(report) + _rollback(report) + _timeline(report)
    return "\n".join(lines).rstrip() + "\n"


def _because(report: Document) -> str:
    return f": {_plain(report['reason'])}" if report["reason"] else ""


def _expectations(report: Document) -> list[str]:
    rows = []
    for one in report["expectations"]:
        unit = f" {one['unit']}" if one["unit"] else ""
        limit = "-" if one["limit"] is None else f"{one['bound']} {figure(one['limit'])}{unit}"
        measured = "-" if one["measured"] is None else f"{figure(one['measured'])}{unit}"
        told = f"{measured} ({_plain(one['note'])})" if one["note"] else measured
        rows.append(["✅" if one["met"] else "❌", _plain(one["what"]), limit, told, one["where"]])
    if not rows:
        return []
    return ["## Expectations", "", *_table(["", "expected", "limit", "measured", "from"], rows), ""]


def _plot(chart: Chart, plot: str | None) -> list[str]:
    if not chart.bars:
        return []
    image = [f"![Throughput over time, with what was injected, detected and recovered]({plot})", ""] if plot else []
    return ["## Load", "", *image, "```text", *sketch(chart), "```", ""]


def sketch(chart: Chart, columns: int = _COLUMNS) -> list[str]:
    """The throughput in characters, and below it when what happened; the lowest sample of each column is shown."""
    lowest: list[float | None] = [None] * columns
    for bar in chart.bars:
        first, last = _column(bar.begin, chart, columns), _column(bar.end - 1e-6, chart, columns)
        for column in range(first, last + 1):
            known = lowest[column]
            lowest[column] = bar.ops_per_sec if known is None else min(known, bar.ops_per_sec)
    top = max([bar.ops_per_sec for bar in chart.bars] + [chart.baseline or 0.0, 1.0])
    levels = "".join(" " if value is None else _block(value, top) for value in lowest)
    lines = [f"{levels}  up to {figure(round(top))} ops/s"]
    marks = [" "] * columns
    for span in chart.spans:
        end = _column(chart.end_s if span.end is None else span.end, chart, columns)
        for column in range(_column(span.begin, chart, columns), end + 1):
            marks[column] = "─"
    for span in chart.spans:
        for at, sign in ((span.begin, "F"), (span.detected, "D"), (span.end, "R")):
            if at is not None:
                column = _column(at, chart, columns)
                while marks[column] in "FDR" and column < columns - 1:
                    column += 1
                marks[column] = sign
    if chart.spans:
        lines.append("".join(marks).rstrip().ljust(columns) + "  F fault, D detected, R recovered")
    scale = f"0 s{chart.end_s:>{columns - 5}.0f} s"
    return [*lines, scale]


def _column(at_s: float, chart: Chart, columns: int) -> int:
    return min(max(int(at_s / chart.end_s * columns), 0), columns - 1)


def _block(value: float, top: float) -> str:
    return _BLOCKS[1 + min(round(value / top * 7), 7)]


def _steps(report: Document) -> list[str]:
    rows = [
        [
            step["number"],
            step["action"] + (f" `{step['name']}`" if step["name"] else ""),
            _plain(step["plan"]),
            step["state"].replace("_", " "),
            _seconds(step["began_s"]),
            _seconds(step["took_s"]),
            _plain(step["told"]),
        ]
        for step in report["steps"]
    ]
    return ["## Steps", "", *_table(["", "action", "what", "state", "at", "took", "result"], rows), ""]


def _faults(report: Document) -> list[str]:
    rows = []
    for fault in report["faults"]:
        detected = fault["detected"]
        seen = f"{detected['after_s']:.2f} s ({detected['invariant']} {detected['node'] or ''})" if detected else "-"
        params = ", ".join(f"{name} {value}" for name, value in fault["params"].items() if value is not None)
        rows.append(
            [
                f"{fault['kind']} {fault['target']}" + (f" ({fault['role']})" if fault["role"] else ""),
                params or "-",
                _seconds(fault["injected_s"]),
                seen,
                _seconds(fault["recovered_s"]),
                _seconds(fault["recovery_took_s"]) + (f" by {fault['recovered_by']}" if fault["recovered_by"] else ""),
            ]
        )
    if not rows:
        return []
    header = ["fault", "parameters", "injected at", "detected after", "recovered at", "recovery took"]
    return ["## Faults", "", *_table(header, [[_plain(cell) for cell in row] for row in rows]), ""]


def _steady(report: Document) -> list[str]:
    before, after = report["steady_state"]["before"], report["steady_state"]["after"]
    if before is None:
        return []
    rows = []
    for number, one in enumerate(before["conditions"]):
        later = after["conditions"][number] if after and number < len(after["conditions"]) else None
        rows.append([_plain(one["text"]), _stands(one), _stands(later) if later else "not looked at"])
    return ["## Steady state", "", *_table(["condition", "before", "after"], rows), ""]


def _stands(one: Document) -> str:
    sign = "✅" if one["holds"] else "❌"
    return f"{sign} {figure(one['left'])}" if one["holds"] is not None else f"{sign} {_plain(one['why'] or 'unknown')}"


def _rollback(report: Document) -> list[str]:
    rollback = report["rollback"]
    sign = "✅" if rollback["verified"] else "❌"
    lines = ["## Rollback", "", f"{sign} {_plain(rollback['message'])}.", ""]
    if report["gaps"]:
        lines += [f"Frames were lost on the way ({'; '.join(map(_plain, report['gaps']))}): figures may miss some.", ""]
    return lines


def _timeline(report: Document) -> list[str]:
    if not report["timeline"]:
        return []
    rows = [[_seconds(one["at_s"]), one["topic"], _plain(one["text"])] for one in report["timeline"]]
    return ["## Timeline", "", *_table(["at", "event", "what"], rows), ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


def _plain(text: object) -> str:
    """What came from elsewhere, on one line and without being read as Markdown."""
    one_line = " ".join(str(text).split())
    for sign in ("\\", "|", "*", "_", "`", "<", "[", "#", "$"):
        one_line = one_line.replace(sign, f"\\{sign}")
    return one_line


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _utc(wall_at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall_at))
