"""Where readings of GPUs come from: one source for a host, chosen by what is there.

`samples()` gives the newest readings and `energies()` the millijoules so far, both without waiting; `counters()` takes
seconds, and is asked before and after the timed part only."""

import os
import signal
import subprocess
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host import amd, intel, nvidia_smi
from gpu_actions_host.nvml import Nvml
from gpu_actions_host.readings import whole


class NoSource:
    """A host without a GPU that it can be asked about."""

    name: Optional[str] = None

    def samples(self) -> List[Dict[str, Any]]:
        return []

    def energies(self) -> Dict[int, Optional[int]]:
        return {}

    def counters(self) -> List[Dict[str, Any]]:
        return []

    def compute_pids(self) -> Optional[List[int]]:
        return None

    def pids(self) -> List[int]:
        return []

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def close(self) -> None:
        pass


class Stream:
    """The lines of one long-lived tool, read without waiting."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        self.descriptor = self.process.stdout.fileno()
        os.set_blocking(self.descriptor, False)
        self.rest = b""
        self.ended = False

    def lines(self) -> List[str]:
        while True:
            try:
                piece = os.read(self.descriptor, 65536)
            except BlockingIOError:
                break
            if not piece:
                self.ended = True
                break
            self.rest += piece
        *whole_lines, self.rest = self.rest.split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole_lines]

    def send(self, number: int) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)

    def close(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGKILL)
        self.process.wait()
        self.process.stdout and self.process.stdout.close()


class Streamed(NoSource):
    """A source whose readings come from a long-lived tool."""

    def __init__(self, command: Sequence[str]) -> None:
        self.stream = Stream(command)
        self.newest: Dict[int, Dict[str, Any]] = {}

    def read(self, line: str) -> Optional[Dict[str, Any]]:
        raise NotImplementedError

    def samples(self) -> List[Dict[str, Any]]:
        """Each reading once: a tool that has gone silent has none."""
        for line in self.stream.lines():
            found = self.read(line)
            if found is not None and found["index"] is not None:
                self.newest[found["index"]] = found
        told, self.newest = [self.newest[index] for index in sorted(self.newest)], {}
        return told

    def pids(self) -> List[int]:
        return [self.stream.process.pid]

    def pause(self) -> None:
        self.stream.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.stream.send(signal.SIGCONT)

    def close(self) -> None:
        self.stream.close()


class NvidiaSource(NoSource):
    def counters(self) -> List[Dict[str, Any]]:
        return [nvidia_smi.counters(row) for row in nvidia_smi.ask(nvidia_smi.COUNTER_FIELDS)]

    def compute_pids(self) -> Optional[List[int]]:
        return nvidia_smi.ask_compute_pids()


class NvmlSource(NvidiaSource):
    name = "nvml"

    def __init__(self) -> None:
        self.nvml = Nvml()

    def samples(self) -> List[Dict[str, Any]]:
        return self.nvml.samples()

    def energies(self) -> Dict[int, Optional[int]]:
        return self.nvml.energies()

    def close(self) -> None:
        self.nvml.close()


class NvidiaSmiSource(Streamed, NvidiaSource):
    name = "nvidia-smi"

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = list(fields)
        query = ["nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader,nounits", "-lms", "1000"]
        super().__init__(query)

    def read(self, line: str) -> Optional[Dict[str, Any]]:
        rows = nvidia_smi.rows_of(line, self.fields)
        return nvidia_smi.sample(rows[0]) if rows else None


class AmdSource(NoSource):
    """The kernel's files; where those are hidden, the tools before and after only."""

    def __init__(self, cards: Sequence[str], tool: Optional[str]) -> None:
        self.cards = list(cards)
        self.tool = tool
        self.name = "amdgpu" if cards else tool

    def samples(self) -> List[Dict[str, Any]]:
        return [amd.kernel_sample(index, card) for index, card in enumerate(self.cards)]

    def counters(self) -> List[Dict[str, Any]]:
        if self.tool == "amd-smi":
            return [amd.smi_counters(gpu) for gpu in amd.ask_metric()]
        if self.tool == "rocm-smi":
            return [amd.rocm_counters(card) for card in amd.ask_rocm()]
        return [amd.no_counters(index) for index in range(len(self.cards))]

    def compute_pids(self) -> Optional[List[int]]:
        return amd.compute_pids()


class IntelSource(Streamed):
    name = "xpu-smi"

    def __init__(self) -> None:
        self.header: Optional[List[str]] = None
        super().__init__(intel.COMMAND)

    def read(self, line: str) -> Optional[Dict[str, Any]]:
        header = intel.header_of(line)
        if header is not None:
            self.header = header
            return None
        return intel.sample(line, self.header) if self.header is not None else None


def choose() -> NoSource:
    """The first that this host can be asked through."""
    from shutil import which

    try:
        return NvmlSource()
    except OSError:
        pass
    if which("nvidia-smi"):
        fields = nvidia_smi.known(nvidia_smi.SAMPLE_FIELDS)
        if "index" in fields and any(whole(row.get("index")) is not None for row in nvidia_smi.ask(["index", "uuid"])):
            return NvidiaSmiSource(fields)
    cards = amd.cards()
    tool = next((name for name in ("amd-smi", "rocm-smi") if which(name)), None)
    if cards or (tool and os.path.exists("/dev/kfd")):
        return AmdSource(cards, tool)
    if which("xpu-smi"):
        return IntelSource()
    return NoSource()
