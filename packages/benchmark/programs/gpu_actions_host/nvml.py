"""NVML, the library of NVIDIA's driver, through ctypes: readings of all GPUs in well under a millisecond each, without
another package and without a process. Only calls whose form has not changed since NVML 5; each that fails is None."""

import ctypes
from typing import Any, Dict, List, Optional, Tuple

from gpu_actions_host.nvidia_smi import reasons_in

LIBRARY = "libnvidia-ml.so.1"
TEMPERATURE_GPU = 0
CLOCK_SM, CLOCK_MEMORY = 1, 2


class Utilization(ctypes.Structure):
    _fields_ = [("gpu", ctypes.c_uint), ("memory", ctypes.c_uint)]


class Memory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


class Nvml:
    """Raises OSError without the library or a GPU that it can ask."""

    def __init__(self, library: str = LIBRARY) -> None:
        self.library = ctypes.CDLL(library)
        if self.call("nvmlInit_v2") != 0:
            raise OSError("NVML does not start")
        count = ctypes.c_uint(0)
        self.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
        self.devices: List[Any] = []
        for index in range(count.value):
            handle = ctypes.c_void_p()
            if self.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle)) == 0:
                self.devices.append((index, handle))
        if not self.devices:
            raise OSError("NVML sees no GPU")

    def call(self, name: str, *arguments: Any) -> int:
        try:
            return int(getattr(self.library, name)(*arguments))
        except AttributeError:
            return -1

    def unsigned(self, name: str, handle: Any, *arguments: Any) -> Optional[int]:
        value = ctypes.c_uint(0)
        return value.value if self.call(name, handle, *arguments, ctypes.byref(value)) == 0 else None

    def long(self, name: str, handle: Any) -> Optional[int]:
        value = ctypes.c_ulonglong(0)
        return value.value if self.call(name, handle, ctypes.byref(value)) == 0 else None

    def samples(self) -> List[Dict[str, Any]]:
        return [self.sample(index, handle) for index, handle in self.devices]

    def sample(self, index: int, handle: Any) -> Dict[str, Any]:
        used, memory = Utilization(), Memory()
        busy = self.call("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(used)) == 0
        told = self.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)) == 0
        milliwatts = self.unsigned("nvmlDeviceGetPowerUsage", handle)
        mask = self.long("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        return {
            "index": index,
            "utilization": used.gpu if busy else None,
            "memory_used_bytes": memory.used if told else None,
            "power_watts": None if milliwatts is None else milliwatts / 1000,
            "temperature_celsius": self.unsigned("nvmlDeviceGetTemperature", handle, ctypes.c_uint(TEMPERATURE_GPU)),
            "sm_clock_mhz": self.unsigned("nvmlDeviceGetClockInfo", handle, ctypes.c_uint(CLOCK_SM)),
            "memory_clock_mhz": self.unsigned("nvmlDeviceGetClockInfo", handle, ctypes.c_uint(CLOCK_MEMORY)),
            "pcie_generation": self.unsigned("nvmlDeviceGetCurrPcieLinkGeneration", handle),
            "pcie_width": self.unsigned("nvmlDeviceGetCurrPcieLinkWidth", handle),
            "throttle_reasons": None if mask is None else reasons_in(mask),
        }

    def energies(self) -> Dict[int, Optional[int]]:
        """Millijoules since the driver was loaded, by index; Volta and later count them."""
        return {index: self.long("nvmlDeviceGetTotalEnergyConsumption", handle) for index, handle in self.devices}

    def close(self) -> None:
        self.call("nvmlShutdown")


def version(library: str = LIBRARY) -> Tuple[Optional[int], Optional[str]]:
    """(what nvmlInit answered, the library's version); (None, None) without the library."""
    try:
        loaded = ctypes.CDLL(library)
        code = int(loaded.nvmlInit_v2())
        text = ctypes.create_string_buffer(80)
        told = code == 0 and loaded.nvmlSystemGetNVMLVersion(text, ctypes.c_uint(len(text))) == 0
    except (OSError, AttributeError):
        return None, None
    return code, driver_in(text.value.decode("ascii", "replace")) if told else None


def driver_in(text: str) -> Optional[str]:
    """`13.590.48.01`: before the driver's version stands CUDA's, which is a small number."""
    first, _, rest = text.partition(".")
    return (rest if first.isdigit() and int(first) < 100 else text) or None
