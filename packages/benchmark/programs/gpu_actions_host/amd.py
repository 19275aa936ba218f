"""AMD: the kernel's own files (`amdgpu` in sysfs) once a second, amd-smi or rocm-smi before and after. Those are Python
programs that take most of a CPU second a call: once a second they would disturb what is measured.

amd-smi's output is not guaranteed: keys may be missing, values are `{value, unit}` objects, plain numbers or `N/A`, and
the list of GPUs may be bare or below `gpu_data`."""

import glob
import os
import re
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host.readings import amount, items, json_in, mapping, number, output_of, times, whole, words

MIB = 2**20
# Transfers a second of each generation of PCIe, in units of 10^9.
GENERATIONS = {2.5: 1, 5.0: 2, 8.0: 3, 16.0: 4, 32.0: 5, 64.0: 6}


def text_at(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(4096).strip()
    except OSError:
        return None


def cards(root: str = "/sys/class/drm") -> List[str]:
    """Folders of the devices that amdgpu drives, in the order of their PCI addresses."""
    found = [
        path for path in glob.glob(os.path.join(root, "card[0-9]*", "device")) if text_at(path + "/vendor") == "0x1002"
    ]
    return sorted(found, key=os.path.realpath)


def kernel_sample(index: int, card: str) -> Dict[str, Any]:
    """Documented in the kernel's "amdgpu driver" pages: power in µW, temperatures in m°C, clocks in Hz."""
    sensors = (glob.glob(os.path.join(card, "hwmon", "hwmon[0-9]*")) or [""])[0]
    power = first(sensors, ("power1_average", "power1_input"))
    link = number((text_at(card + "/current_link_speed") or "").partition(" ")[0])
    return {
        "index": index,
        "utilization": amount(text_at(card + "/gpu_busy_percent")),
        "memory_used_bytes": amount(text_at(card + "/mem_info_vram_used")),
        "power_watts": times(power, 1e-6),
        "temperature_celsius": times(first(sensors, ("temp2_input", "temp1_input")), 1e-3),
        "sm_clock_mhz": times(first(sensors, ("freq1_input",)), 1e-6),
        "memory_clock_mhz": times(first(sensors, ("freq2_input",)), 1e-6),
        "pcie_generation": GENERATIONS.get(link) if link is not None else None,
        "pcie_width": whole(text_at(card + "/current_link_width")),
        "throttle_reasons": None,
    }


def first(folder: str, names: Sequence[str]) -> Optional[float]:
    """The first of these sensors that is there."""
    found = (amount(text_at(os.path.join(folder, name))) for name in names) if folder else iter(())
    return next((value for value in found if value is not None), None)


def gpus_in(told: Any) -> List[Dict[str, Any]]:
    """amd-smi's GPUs, whichever of its forms that is."""
    listed = told.get("gpu_data") if isinstance(told, dict) else told
    return [entry for entry in items(listed) if isinstance(entry, dict) and whole(entry.get("gpu")) is not None]


def at(value: Any, *path: str) -> Any:
    for name in path:
        value = mapping(value).get(name)
    return value


def any_of(value: Any, *paths: Sequence[str]) -> Optional[float]:
    return next((found for found in (amount(at(value, *path)) for path in paths) if found is not None), None)


def smi_sample(gpu: Dict[str, Any]) -> Dict[str, Any]:
    """Of `amd-smi metric --json`. Megabytes there are binary ones."""
    link = any_of(gpu, ("pcie", "speed"), ("pcie", "current_speed"))
    return {
        "index": whole(gpu.get("gpu")),
        "utilization": any_of(gpu, ("usage", "gfx_activity")),
        "memory_used_bytes": times(any_of(gpu, ("mem_usage", "used_vram")), MIB),
        "power_watts": any_of(gpu, ("power", "socket_power"), ("power", "average_socket_power")),
        "temperature_celsius": any_of(gpu, ("temperature", "hotspot"), ("temperature", "edge")),
        "sm_clock_mhz": any_of(gpu, ("clock", "gfx_0", "clk"), ("clock", "gfx", "clk")),
        "memory_clock_mhz": any_of(gpu, ("clock", "mem_0", "clk"), ("clock", "mem", "clk")),
        "pcie_generation": GENERATIONS.get(link) if link is not None else None,
        "pcie_width": whole(any_of(gpu, ("pcie", "width"), ("pcie", "current_lanes"))),
        "throttle_reasons": None,
    }


def smi_counters(gpu: Dict[str, Any]) -> Dict[str, Any]:
    """Joules there; MI300's times of throttling have no documented unit, and are left out."""
    return dict(
        no_counters(whole(gpu.get("gpu"))),
        energy_millijoules=times(any_of(gpu, ("energy", "total_energy_consumption")), 1000),
        ecc_corrected=whole(at(gpu, "ecc", "total_correctable_count")),
        ecc_uncorrected=whole(at(gpu, "ecc", "total_uncorrectable_count")),
    )


def no_counters(index: Optional[int]) -> Dict[str, Any]:
    return {
        "index": index,
        "energy_millijoules": None,
        "throttled_microseconds": None,
        "ecc_corrected": None,
        "ecc_corrected_sram": None,
        "ecc_corrected_dram": None,
        "ecc_uncorrected": None,
        "ecc_uncorrected_sram": None,
        "rows_remapped_corrected": None,
        "rows_remapped_uncorrected": None,
        "remap_pending": None,
        "remap_failed": None,
        "pages_retired_single": None,
        "pages_retired_double": None,
        "pages_pending": None,
    }


def smi_identity(gpu: Dict[str, Any]) -> Dict[str, Any]:
    """Of `amd-smi static --json`."""
    capacity = any_of(gpu, ("vram", "size"))
    speed = any_of(gpu, ("bus", "max_pcie_speed"))
    return {
        "index": whole(gpu.get("gpu")),
        "name": words(at(gpu, "asic", "market_name")),
        "uuid": words(gpu.get("uuid")),
        "serial": words(at(gpu, "asic", "asic_serial")) or words(at(gpu, "board", "product_serial")),
        "pci_bus_id": words(at(gpu, "bus", "bdf")),
        "vbios": words(at(gpu, "vbios", "version")) or words(at(gpu, "vbios", "name")),
        "driver": words(at(gpu, "driver", "version")),
        "memory_bytes": times(capacity, MIB),
        "power_limit_watts": any_of(gpu, ("limit", "socket_power"), ("limit", "max_power")),
        "power_max_limit_watts": any_of(gpu, ("limit", "max_power")),
        "pcie_generation_max": GENERATIONS.get(speed) if speed is not None else None,
        "pcie_width_max": whole(at(gpu, "bus", "max_pcie_width")),
        "slowdown_celsius": any_of(
            gpu, ("limit", "slowdown_hotspot_temperature"), ("limit", "slowdown_edge_temperature")
        ),
    }


def rocm_gpus(told: Any) -> List[Dict[str, Any]]:
    """rocm-smi's cards with their index; `system` is none."""
    found = [(re.fullmatch(r"card(\d{1,4})", name), card) for name, card in mapping(told).items()]
    return [dict(card, gpu=int(name.group(1))) for name, card in found if name and isinstance(card, dict)]


def rocm_sample(card: Dict[str, Any]) -> Dict[str, Any]:
    """Of `rocm-smi -a --json` (ROCm 4 to 6): flat, every value a text."""
    link = re.search(r"\((\d+\.\d)GT/s x(\d+)\)", str(card.get("pcie clock level", "")))
    power = ("Average Graphics Package Power (W)", "Current Socket Graphics Package Power (W)")
    heat = ("Temperature (Sensor junction) (C)", "Temperature (Sensor edge) (C)")
    return {
        "index": whole(card.get("gpu")),
        "utilization": amount(card.get("GPU use (%)")),
        "memory_used_bytes": amount(card.get("VRAM Total Used Memory (B)")),
        "power_watts": any_of(card, *((name,) for name in power)),
        "temperature_celsius": any_of(card, *((name,) for name in heat)),
        "sm_clock_mhz": amount(card.get("sclk clock speed:")),
        "memory_clock_mhz": amount(card.get("mclk clock speed:")),
        "pcie_generation": GENERATIONS.get(float(link.group(1))) if link else None,
        "pcie_width": int(link.group(2)) if link else None,
        "throttle_reasons": None,
    }


def rocm_counters(card: Dict[str, Any]) -> Dict[str, Any]:
    microjoules = amount(card.get("Accumulated Energy (uJ)"))
    return dict(no_counters(whole(card.get("gpu"))), energy_millijoules=times(microjoules, 1e-3))


def ask_metric() -> List[Dict[str, Any]]:
    return gpus_in(json_in(output_of(["amd-smi", "metric", "--json"], 30)))


def ask_static() -> List[Dict[str, Any]]:
    return gpus_in(json_in(output_of(["amd-smi", "static", "--json"], 30)))


def ask_rocm() -> List[Dict[str, Any]]:
    return rocm_gpus(json_in(output_of(["rocm-smi", "-a", "--json"], 30)))


def compute_pids(root: str = "/sys/class/kfd/kfd/proc") -> Optional[List[int]]:
    """Processes that hold a queue of an AMD GPU; None without its driver."""
    try:
        return sorted(int(name) for name in os.listdir(root) if name.isdigit())
    except OSError:
        return None
