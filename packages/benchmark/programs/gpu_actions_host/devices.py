"""The device that is measured: choice, synchronisation, clocks of its own, memory."""

import os
import time
from typing import Any, List, NamedTuple, Optional

from gpu_actions_host import gpu_check
from gpu_actions_host.events import milliseconds
from gpu_actions_host.faults import Fault

_started = time.perf_counter()
try:
    import torch
except Exception as error:  # a broken driver library raises OSError, a missing torch ImportError
    raise Fault("no-torch", f"This Python cannot import torch: {type(error).__name__}: {error}") from error
IMPORT_SECONDS = round(time.perf_counter() - _started, 3)


class Device(NamedTuple):
    """`backend`: cuda, hip or cpu. `name` is the GPU's own name, None on a CPU."""

    torch: Any
    backend: str
    name: Optional[str]

    @property
    def is_gpu(self) -> bool:
        return self.backend != "cpu"

    def has_bf16(self) -> bool:
        """True where the hardware computes in bf16: NVIDIA from compute capability 8.0 on, AMD as torch says."""
        if self.backend == "cuda":
            return torch.cuda.get_device_capability(self.torch) >= (8, 0)
        return bool(torch.cuda.is_bf16_supported())

    def synchronize(self) -> None:
        if self.is_gpu:
            torch.cuda.synchronize(self.torch)

    def peak_memory_bytes(self) -> Optional[int]:
        return int(torch.cuda.max_memory_allocated(self.torch)) if self.is_gpu else None


def choose(allow_cpu: bool, index: int = 0) -> Device:
    """A GPU by its index, or the CPU where there is none and that is allowed.

    torch.version.cuda only says what torch was built with, so it is not asked.
    """
    if torch.cuda.is_available():
        device = torch.device("cuda", index)
        torch.cuda.set_device(device)
        return Device(device, "hip" if torch.version.hip else "cuda", torch.cuda.get_device_name(device))
    if allow_cpu:
        return Device(torch.device("cpu"), "cpu", None)
    found = gpu_check.check()
    raise Fault(
        "no-gpu",
        "PyTorch {} sees no GPU on this host ({}), and running on the CPU is not allowed".format(
            torch.__version__, found["name"] or "no CUDA driver library"
        ),
    )


def set_threads(asked: Optional[int]) -> int:
    """Makes torch use the threads that were asked for, or all CPUs of this process: Debian's build starts with one."""
    threads = asked or wanted_threads()
    torch.set_num_threads(threads)
    if torch.get_num_threads() < threads:
        raise Fault("unsupported", f"torch uses {torch.get_num_threads()} threads, not {threads}")
    return int(torch.get_num_threads())


def wanted_threads() -> int:
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdigit() and int(told) > 0 else usable_cpus()


def usable_cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Stopwatch:
    """Times steps with the device's own events on a GPU (no synchronisation in between), else with the clock."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.marks: List[Any] = []
        self.mark()

    def mark(self) -> None:
        if self.device.is_gpu:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
        else:
            self.marks.append(time.perf_counter_ns())

    def step_ms(self) -> List[float]:
        """Milliseconds between marks. On a GPU the device must have been synchronised since the last one."""
        pairs = zip(self.marks, self.marks[1:])
        if self.device.is_gpu:
            return [milliseconds(a.elapsed_time(b)) for a, b in pairs]
        return [milliseconds((b - a) / 1e6) for a, b in pairs]
