"""What nvidia-smi tells. One field that it does not know makes a whole query fail, so only those are asked that its own
help lists. Formats: captures of drivers 466 to 610 (test/fixtures/monitors)."""

import re
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host.readings import amount, number, output_of, times, whole, words, yes

PROGRAM = "nvidia-smi"
MIB = 2**20
# Before driver 535.54 "event" was "throttle", and there were no counters of microseconds.
ACTIVE = ("clocks_event_reasons.active", "clocks_throttle_reasons.active")
SAMPLE_FIELDS = (
    "index", "utilization.gpu", "memory.used", "power.draw", "temperature.gpu", "clocks.current.sm",
    "clocks.current.memory", "pcie.link.gen.gpucurrent", "pcie.link.gen.current", "pcie.link.width.current", *ACTIVE,
)  # fmt: skip
EVENT = "clocks_event_reasons_counters."
ECC = "ecc.errors."
COUNTER_FIELDS = (
    "index", "uuid",
    EVENT + "sw_power_cap", EVENT + "sw_thermal_slowdown", EVENT + "hw_thermal_slowdown",
    EVENT + "hw_power_brake_slowdown",
    ECC + "corrected.volatile.total", ECC + "uncorrected.volatile.total", ECC + "corrected.volatile.sram",
    ECC + "corrected.volatile.dram", ECC + "uncorrected.volatile.sram",
    "remapped_rows.correctable", "remapped_rows.uncorrectable", "remapped_rows.pending", "remapped_rows.failure",
    "retired_pages.single_bit_ecc.count", "retired_pages.double_bit.count", "retired_pages.pending",
)  # fmt: skip
IDENTITY_FIELDS = (
    "index", "name", "uuid", "serial", "pci.bus_id", "vbios_version", "driver_version", "memory.total", "power.limit",
    "power.default_limit", "power.max_limit", "clocks.max.sm", "clocks.max.memory", "ecc.mode.current",
    "mig.mode.current", "persistence_mode", "compute_mode", "pcie.link.gen.max", "pcie.link.gen.gpumax",
    "pcie.link.width.max", "compute_cap",
)  # fmt: skip
# Bits of the mask of active reasons (nvml.h); idle, application clocks, sync boost and display hold nothing back.
REASONS = {
    0x04: "software_power_cap",
    0x08: "hardware_slowdown",
    0x20: "software_thermal",
    0x40: "hardware_thermal",
    0x80: "power_brake",
}

Row = Dict[str, str]


def known_fields(text: Optional[str]) -> List[str]:
    """The fields that `--help-query-gpu` lists."""
    return re.findall(r"[a-z][A-Za-z0-9_.]*", re.sub(r'" or "', " ", "\n".join(field_lines(text or ""))))


def field_lines(text: str) -> List[str]:
    """Lines that name fields: quoted, `"a" or "b"`, or a single bare word; prose has several bare words."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if re.fullmatch(r'"[^"]+"( or "[^"]+")*|[a-z][A-Za-z0-9_.]*', line)]


def ask(fields: Sequence[str], program: str = PROGRAM) -> List[Row]:
    """One row for each GPU; no rows without the tool or a GPU. Fields that the tool does not know are not in them."""
    usable = known(fields, program)
    query = [program, "--query-gpu=" + ",".join(usable), "--format=csv,noheader,nounits"]
    return rows_of(output_of(query) if usable else None, usable)


def known(fields: Sequence[str], program: str = PROGRAM) -> List[str]:
    """Of two names of one thing the newer."""
    listed = set(known_fields(output_of([program, "--help-query-gpu"])))
    if ACTIVE[0] in listed:
        listed.discard(ACTIVE[1])
    return [field for field in fields if field in listed]


def rows_of(text: Optional[str], fields: Sequence[str]) -> List[Row]:
    """Rows of a CSV without header; a row with another number of fields is none."""
    found: List[Row] = []
    for line in (text or "").splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(fields) and len(values) > 1:
            found.append(dict(zip(fields, values)))
    return found


def first_of(row: Row, names: Sequence[str]) -> Optional[str]:
    return next((row[name] for name in names if words(row.get(name)) is not None), None)


def reasons_of(mask: Optional[str]) -> Optional[List[str]]:
    """Why the clocks are held back now; None when that is not known."""
    if mask is None or re.fullmatch(r"0x[0-9A-Fa-f]{1,16}", mask) is None:
        return None
    return reasons_in(int(mask, 16))


def reasons_in(bits: int) -> List[str]:
    return [name for bit, name in REASONS.items() if bits & bit]


def sample(row: Row) -> Dict[str, Any]:
    return {
        "index": whole(row.get("index")),
        "utilization": amount(row.get("utilization.gpu")),
        "memory_used_bytes": times(amount(row.get("memory.used")), MIB),
        "power_watts": amount(row.get("power.draw")),
        "temperature_celsius": number(row.get("temperature.gpu")),
        "sm_clock_mhz": amount(row.get("clocks.current.sm")),
        "memory_clock_mhz": amount(row.get("clocks.current.memory")),
        "pcie_generation": whole(first_of(row, ("pcie.link.gen.gpucurrent", "pcie.link.gen.current"))),
        "pcie_width": whole(row.get("pcie.link.width.current")),
        "throttle_reasons": reasons_of(first_of(row, ACTIVE)),
    }


def counters(row: Row) -> Dict[str, Any]:
    """Counters since the driver was loaded; of energy it has none."""
    return {
        "index": whole(row.get("index")),
        "energy_millijoules": None,
        "throttled_microseconds": {
            # The sum of the two that follow; nvidia-smi does not count it.
            "hardware_slowdown": None,
            "hardware_thermal": whole(row.get(EVENT + "hw_thermal_slowdown")),
            "power_brake": whole(row.get(EVENT + "hw_power_brake_slowdown")),
            "software_thermal": whole(row.get(EVENT + "sw_thermal_slowdown")),
            "software_power_cap": whole(row.get(EVENT + "sw_power_cap")),
        },
        "ecc_corrected": whole(row.get(ECC + "corrected.volatile.total")),
        "ecc_corrected_sram": whole(row.get(ECC + "corrected.volatile.sram")),
        "ecc_corrected_dram": whole(row.get(ECC + "corrected.volatile.dram")),
        "ecc_uncorrected": whole(row.get(ECC + "uncorrected.volatile.total")),
        "ecc_uncorrected_sram": whole(row.get(ECC + "uncorrected.volatile.sram")),
        "rows_remapped_corrected": whole(row.get("remapped_rows.correctable")),
        "rows_remapped_uncorrected": whole(row.get("remapped_rows.uncorrectable")),
        "remap_pending": yes(row.get("remapped_rows.pending")),
        "remap_failed": yes(row.get("remapped_rows.failure")),
        "pages_retired_single": whole(row.get("retired_pages.single_bit_ecc.count")),
        "pages_retired_double": whole(row.get("retired_pages.double_bit.count")),
        "pages_pending": yes(row.get("retired_pages.pending")),
    }


def identity(row: Row) -> Dict[str, Any]:
    """UUID and serial number as they are: whoever records them hashes them."""
    return {
        "index": whole(row.get("index")),
        "name": words(row.get("name")),
        "uuid": words(row.get("uuid")),
        "serial": words(row.get("serial")),
        "pci_bus_id": words(row.get("pci.bus_id")),
        "vbios": words(row.get("vbios_version")),
        "driver": words(row.get("driver_version")),
        "memory_bytes": times(amount(row.get("memory.total")), MIB),
        "power_limit_watts": amount(row.get("power.limit")),
        "power_default_limit_watts": amount(row.get("power.default_limit")),
        "power_max_limit_watts": amount(row.get("power.max_limit")),
        "sm_clock_max_mhz": amount(row.get("clocks.max.sm")),
        "memory_clock_max_mhz": amount(row.get("clocks.max.memory")),
        "ecc": words(row.get("ecc.mode.current")),
        "mig": words(row.get("mig.mode.current")),
        "persistence": words(row.get("persistence_mode")),
        "compute_mode": words(row.get("compute_mode")),
        "pcie_generation_max": whole(first_of(row, ("pcie.link.gen.gpumax", "pcie.link.gen.max"))),
        "pcie_width_max": whole(row.get("pcie.link.width.max")),
        "compute_capability": words(row.get("compute_cap")),
    }


def compute_pids(text: Optional[str]) -> Optional[List[int]]:
    """Of `--query-compute-apps=pid --format=csv,noheader,nounits`; None when it could not be asked or read."""
    if text is None:
        return None
    found = [whole(line) for line in text.splitlines() if line.strip()]
    return None if None in found else sorted({pid for pid in found if pid is not None})


def ask_compute_pids(program: str = PROGRAM) -> Optional[List[int]]:
    return compute_pids(output_of([program, "--query-compute-apps=pid", "--format=csv,noheader,nounits"]))
