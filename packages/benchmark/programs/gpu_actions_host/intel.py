"""Intel: one long-lived `xpu-smi dump`, which prints a line of CSV for each GPU a second. What the numbers of its
options mean is not promised, so columns are found by their names."""

from typing import Any, Dict, List, Optional

from gpu_actions_host.readings import amount, number, times, whole

# 0 utilisation, 1 power, 2 frequency, 3 core temperature, 18 memory used (xpu-smi dump -h).
COMMAND = ("xpu-smi", "dump", "-d", "-1", "-m", "0,1,2,3,18", "-i", "1")


def header_of(line: str) -> Optional[List[str]]:
    names = [name.strip() for name in line.split(",")]
    return names if "DeviceId" in names else None


def sample(line: str, header: List[str]) -> Optional[Dict[str, Any]]:
    """None for a line that is no reading."""
    values = [value.strip() for value in line.split(",")]
    row = dict(zip(header, values))
    index = whole(row.get("DeviceId"))
    if len(values) != len(header) or index is None:
        return None

    def starting(name: str) -> Optional[str]:
        return next((value for title, value in row.items() if title.startswith(name)), None)

    return {
        "index": index,
        "utilization": amount(starting("GPU Utilization (%)")),
        "memory_used_bytes": times(amount(starting("GPU Memory Used (MiB)")), 2**20),
        "power_watts": amount(starting("GPU Power (W)")),
        "temperature_celsius": number(starting("GPU Core Temperature")),
        "sm_clock_mhz": amount(starting("GPU Frequency (MHz)")),
        "memory_clock_mhz": None,
        "pcie_generation": None,
        "pcie_width": None,
        "throttle_reasons": None,
    }
