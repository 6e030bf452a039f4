"""What goes to the browser: JSON of what came over the bus, times as ISO 8601."""

import math
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json


def json_bytes(value: Any) -> bytes:
    """``value`` as JSON. JSON has no NaN and no infinity: they become null, as a figure that is not there."""
    return to_json(value, inf_nan_mode="null", bytes_mode="base64", serialize_unknown=True)


def iso(at_s: float) -> str:
    """Wall-clock seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    try:
        moment = datetime.fromtimestamp(at_s, UTC)
    except (ValueError, OverflowError, OSError):
        moment = datetime.fromtimestamp(0, UTC)  # what a worker sent may be no time at all
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age_seconds(age_s: float) -> float | None:
    """An age as it is shown; None where nothing was ever heard."""
    return round(age_s, 1) if math.isfinite(age_s) else None
