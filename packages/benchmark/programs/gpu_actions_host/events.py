"""The JSON lines on standard output: one object a line, each with an `event` field."""

import json
import math
import sys
import threading
from typing import Any, Callable, Dict, List, Optional, Sequence


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


def parsed(text: Any) -> Dict[str, Any]:
    """A line as the object that it is; empty for any other line."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


# Of several processes that measure together only the first speaks, and none tells of its error here.
_silent = False
_tell: Optional[Callable[[str, str, List[str]], None]] = None
# A thread that hears of alarms prints, too.
_printing = threading.Lock()


def silence() -> None:
    """Makes `emit` of this process print nothing from now on."""
    global _silent
    _silent = True


def emit(event: str, **fields: Any) -> None:
    """Prints one event at once. One write a line: what libraries print beside it cannot tear it."""
    if _silent:
        return
    text = line(dict(event=event, **fields)) + "\n"
    with _printing:
        sys.stdout.write(text)
        sys.stdout.flush()


def tell_errors_through(tell: Callable[[str, str, List[str]], None]) -> None:
    global _tell
    _tell = tell


def tell_error(kind: str, message: str, faults: Sequence[str] = ()) -> None:
    """Tells why there is no result."""
    if _tell is not None:
        _tell(kind, message, list(faults))
    else:
        emit("error", kind=kind, message=message, faults=list(faults))


def milliseconds(value: float) -> float:
    """Rounds to 0.1 µs: below the resolution of every clock used here (device events: 0.5 µs)."""
    return round(value, 4)
