"""The JSON lines on standard output: one object a line, each with an `event` field."""

import json
import math
import sys
from typing import Any


def finite(value: Any) -> Any:
    """Replaces NaN and infinities by None, in depth: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    return value


def line(value: Any) -> str:
    """One value as one line of JSON, ASCII only, so that no locale of a host can spoil it."""
    return json.dumps(finite(value), separators=(",", ":"), allow_nan=False)


def emit(event: str, **fields: Any) -> None:
    """Prints one event at once. One write a line: what libraries print beside it cannot tear it."""
    sys.stdout.write(line(dict(event=event, **fields)) + "\n")
    sys.stdout.flush()


def milliseconds(value: float) -> float:
    """Rounds to 0.1 µs: below the resolution of every clock used here (device events: 0.5 µs)."""
    return round(value, 4)
