"""The table of all looks: one line a GPU, and one line a look where there is none."""

from typing import Any, Dict, List, Optional

GPU = (
    "utilization", "memory_used_bytes", "power_watts", "temperature_celsius", "sm_clock_mhz", "memory_clock_mhz",
    "pcie_generation", "pcie_width",
)  # fmt: skip
HEADER = ("at", "timed", "gpu", *GPU, "throttle_reasons", "host_cpu_percent", "host_memory_used_bytes")
# What is brought home through the Systems Manager should take seconds: this is four hours of one GPU.
MOST_BYTES = 2**21


def cell(value: Any) -> str:
    """Nothing for what is not known."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)


def rows(look: Dict[str, Any], timed: bool) -> List[str]:
    host = [cell(look["cpu_percent"]), cell(look["memory_used_bytes"])]
    start = [look["at"], "1" if timed else "0"]
    return [
        ",".join([*start, cell(gpu.get("index")), *(cell(gpu.get(name)) for name in GPU), reasons(gpu), *host])
        for gpu in look["gpus"] or [{}]
    ]


def reasons(gpu: Dict[str, Any]) -> str:
    """`none` is known, nothing is not."""
    held = gpu.get("throttle_reasons")
    return "" if held is None else "+".join(held) or "none"


class Table:
    """Each look is in the file at once: whoever kills this process loses nothing. `truncated`: the file is full."""

    def __init__(self, path: Optional[str]) -> None:
        self.truncated = False
        self.size = 0
        self.file: Optional[Any] = None
        if path is not None:
            try:
                self.file = open(path, "w", encoding="ascii")  # noqa: SIM115 (open as long as the table)
                self.put(",".join(HEADER) + "\n")
            except OSError:
                self.file = None

    def write(self, look: Dict[str, Any], timed: bool) -> None:
        self.put("".join(row + "\n" for row in rows(look, timed)))

    def put(self, text: str) -> None:
        if self.file is None:
            return
        self.size += len(text)
        self.truncated = self.size > MOST_BYTES
        try:
            if not self.truncated:
                self.file.write(text)
                self.file.flush()
                return
        except OSError:
            self.truncated = True
        self.close()

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
