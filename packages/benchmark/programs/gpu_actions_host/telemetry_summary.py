"""What samples and counters came to between two marks. Pure."""

import statistics
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host.readings import total

SAMPLED = (
    "utilization", "memory_used_bytes", "power_watts", "temperature_celsius", "sm_clock_mhz", "memory_clock_mhz",
    "pcie_generation", "pcie_width",
)  # fmt: skip
# Of these counters the difference is told, never the value since the driver was loaded.
COUNTED = (
    "ecc_corrected", "ecc_uncorrected", "rows_remapped_corrected", "rows_remapped_uncorrected", "pages_retired_single",
    "pages_retired_double",
)  # fmt: skip
REASONS = ("hardware_slowdown", "hardware_thermal", "power_brake", "software_thermal", "software_power_cap")


def spread(values: Sequence[Optional[float]]) -> Optional[Dict[str, float]]:
    """None when none is known."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"min": min(known), "median": statistics.median(known), "max": max(known)}


def difference(before: Optional[float], after: Optional[float]) -> Optional[float]:
    """None when one is not known, or when the counter was set back."""
    return None if before is None or after is None or after < before else after - before


def counted(before: Dict[str, Any], after: Dict[str, Any]) -> Dict[str, Any]:
    throttled = {
        reason: difference(
            (before.get("throttled_microseconds") or {}).get(reason),
            (after.get("throttled_microseconds") or {}).get(reason),
        )
        for reason in REASONS
    }
    return dict(
        {name: difference(before.get(name), after.get(name)) for name in COUNTED},
        throttled_microseconds=throttled if any(value is not None for value in throttled.values()) else None,
    )


def gpu(index: int, samples: List[Dict[str, Any]], before: Dict[str, Any], after: Dict[str, Any]) -> Dict[str, Any]:
    held: List[Optional[List[str]]] = [sample.get("throttle_reasons") for sample in samples]
    known = [reasons for reasons in held if reasons is not None]
    return dict(
        {name: spread([sample.get(name) for sample in samples]) for name in SAMPLED},
        index=index,
        samples=len(samples),
        throttle_reasons_seen=sorted({reason for reasons in known for reason in reasons}) if known else None,
        **counted(before, after),
    )


def gpus(
    samples: List[List[Dict[str, Any]]], before: List[Dict[str, Any]], after: List[Dict[str, Any]]
) -> List[Dict[str, Any]]:
    """`samples`: look by look, the GPUs of each."""
    first = {one["index"]: one for one in before}
    last = {one["index"]: one for one in after}
    seen: Dict[int, List[Dict[str, Any]]] = {}
    for look in samples:
        for sample in look:
            if sample.get("index") is not None:
                seen.setdefault(sample["index"], []).append(sample)
    indexes = sorted(index for index in {*seen, *first, *last} if index is not None)
    return [gpu(index, seen.get(index, []), first.get(index, {}), last.get(index, {})) for index in indexes]


def energy(found: List[Dict[str, Any]]) -> Optional[float]:
    """Joules of all GPUs; None when one of them does not count its own."""
    return total([one["energy_joules"] for one in found])


def with_energy(found: List[Dict[str, Any]], before: Dict[int, Any], after: Dict[int, Any]) -> List[Dict[str, Any]]:
    """Adds the joules of each GPU, of its own counter in millijoules."""

    def joules(index: int) -> Optional[float]:
        spent = difference(before.get(index), after.get(index))
        return None if spent is None else spent / 1000

    return [dict(one, energy_joules=joules(one["index"])) for one in found]


def foreign_processes(users: Optional[List[int]], ours: Any, exists: Any) -> Optional[int]:
    """How many of the processes on the GPUs are not ours; None when one of them cannot be seen from here: it may be
    one of ours, under the number that it has outside of this container."""
    if users is None or any(pid not in ours and not exists(pid) for pid in users):
        return None
    return sum(pid not in ours for pid in users)
