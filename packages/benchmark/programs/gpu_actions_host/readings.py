"""How the words of monitoring tools become values. What is not plainly a number is None: none is ever made up."""

import json
import re
import shutil
import subprocess
from typing import Any, Dict, List, Optional, Sequence, Tuple

# `23.45`, `200740215 us`, `(1402Mhz)`, `25%`: one number, and at most a unit behind it.
NUMBER = re.compile(r"\(?\s*([+-]?\d+(?:\.\d+)?)\s*(%|[A-Za-z/]{1,8})?\s*\)?")


def number(value: Any) -> Optional[float]:
    """`[N/A]`, `N/A`, `[Not Supported]`, `[Requested functionality has been deprecated]`, booleans and the like are
    None; `{"value": 142, "unit": "W"}` is 142."""
    if isinstance(value, dict):
        return number(value.get("value"))
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value) if abs(value) < 1e18 else None
    found = NUMBER.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 64 else None
    return number(float(found.group(1))) if found else None


def amount(value: Any) -> Optional[float]:
    """A number that cannot be below 0."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def whole(value: Any) -> Optional[int]:
    found = amount(value)
    return int(found) if found is not None and found == int(found) else None


def words(value: Any) -> Optional[str]:
    """A text that says something."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    absent = text == "" or text.startswith("[") or text.upper() in ("N/A", "NOT SUPPORTED", "NONE", "UNKNOWN")
    return None if absent else text[:200]


def yes(value: Any) -> Optional[bool]:
    """`Yes`, `Active`, `Enabled`, and their opposites."""
    text = (words(value) or "").lower()
    if text in ("yes", "active", "enabled", "true"):
        return True
    return False if text in ("no", "not active", "disabled", "false") else None


def times(value: Optional[float], factor: float) -> Optional[float]:
    return None if value is None else round(value * factor, 6)


def mapping(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> List[Any]:
    return value if isinstance(value, list) else []


def total(values: Sequence[Optional[float]]) -> Optional[float]:
    """None when one of them is not known: a sum without it would be too small."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def output_of(command: Sequence[str], seconds: float = 20.0) -> Optional[str]:
    """What a tool prints; None when it is not there, fails or takes too long."""
    return run(command, seconds)[1]


def run(command: Sequence[str], seconds: float = 20.0) -> Tuple[Optional[int], Optional[str]]:
    """(exit code, output); the output only when it ended with 0."""
    if shutil.which(command[0]) is None:
        return None, None
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None, None
    return done.returncode, done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None


def json_in(text: Optional[str]) -> Any:
    """The JSON of an output that may begin with warnings; None when there is none."""
    if text is None:
        return None
    starts = [match.start() for match in re.finditer(r"^\s*[\[{]", text, re.MULTILINE)]
    for start in starts[:20]:
        try:
            return json.JSONDecoder().raw_decode(text[start:].lstrip())[0]
        except (ValueError, RecursionError):
            continue
    return None
