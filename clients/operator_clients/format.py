"""How the viewer writes numbers, durations, sizes and times of day."""

import math
import time

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
# Joiners and variation selectors change the width of what stands before them, differently in each terminal; marks of
# direction make it show the rest of the line, borders included, in another order.
_CONTROL |= dict.fromkeys((0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070)), "")
_CONTROL |= dict.fromkeys((0xFE0E, 0xFE0F, 0xFEFF), "")


def clean(text: str) -> str:
    """``text`` on one line, without anything that a terminal would obey instead of show."""
    return text.translate(_CONTROL)


def number(value: float) -> str:
    """``2,001``; one decimal below ten; a dash for what is not a number."""
    if not math.isfinite(value):
        return "-"
    return f"{value:,.1f}" if 0 < abs(value) < 9.95 else f"{value:,.0f}"


def duration(seconds: float) -> str:
    """``31 ms``, ``0.2 s``, ``12 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if not math.isfinite(seconds):
        return "-"
    seconds = max(0.0, seconds)
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def age(seconds: float) -> str:
    """A duration in whole seconds, for what is redrawn as it grows: ``0 s``, ``12 s``, ``3 min 05 s``."""
    if not math.isfinite(seconds):
        return "-"
    return duration(math.floor(seconds) or 0) if seconds >= 10 else f"{max(0, math.floor(seconds))} s"


def milliseconds(value: float | None) -> str:
    """``0.31 ms``, ``13.7 ms``, ``950 ms``; a dash where the source has no figure."""
    if value is None or not math.isfinite(value):
        return "-"
    digits = 2 if value < 1 else 1 if value < 100 else 0
    return f"{value:.{digits}f} ms"


def figure(milliseconds_: float | None) -> str:
    """The same without its unit, for columns: ``0.31``, ``13.7``, ``950``."""
    return milliseconds(milliseconds_).removesuffix(" ms")


def compact(value: float) -> str:
    """At most five columns: ``410``, ``9,999``, ``31.2k``, ``1.2M``."""
    if not math.isfinite(value):
        return "-"
    for limit, divisor, suffix in ((9_999.5, 1.0, ""), (999_500.0, 1e3, "k"), (999.5e6, 1e6, "M")):
        if abs(value) < limit:
            scaled = value / divisor
            return (
                number(scaled)
                if not suffix
                else f"{scaled:.1f}{suffix}"
                if abs(scaled) < 99.95
                else f"{scaled:.0f}{suffix}"
            )
    return f"{value:.0e}"


def byte_size(count_bytes: float) -> str:
    """``312 B``, ``4.2 MiB``."""
    value, unit = float(count_bytes), "B"
    for bigger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1024:
            break
        value, unit = value / 1024, bigger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def time_of_day(wall_s: float) -> str:
    """``14:03:07`` in local time; dashes for what no clock shows."""
    return _local(wall_s, "%H:%M:%S") or "--:--:--"


def date_and_time(wall_s: float) -> str:
    """``2026-11-21 14:03:07``, the same otherwise."""
    return _local(wall_s, "%Y-%m-%d %H:%M:%S") or "---------- --:--:--"


def _local(wall_s: float, layout: str) -> str:
    try:
        return time.strftime(layout, time.localtime(wall_s))
    except (ValueError, OverflowError, OSError):
        return ""
