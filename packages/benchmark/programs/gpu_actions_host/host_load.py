"""Who uses the host's CPUs and memory, from /proc. None where there is none (macOS)."""

import os
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Set

# Of the first line of /proc/stat, in clock ticks; guests are counted in user and nice already.
FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


class Ticks(NamedTuple):
    """Of all CPUs since boot. Stolen by the hypervisor counts as busy: this host did not have it."""

    busy: int
    all: int


class Process(NamedTuple):
    """`ticks`: its own, and of its children that ended and were waited for."""

    parent: int
    ticks: int


def ticks_in(text: Optional[str]) -> Optional[Ticks]:
    words = (text or "").split("\n", 1)[0].split()
    if len(words) < 1 + len(FIELDS) or words[0] != "cpu" or not all(word.isdigit() for word in words[1:9]):
        return None
    values = dict(zip(FIELDS, map(int, words[1:9])))
    everything = sum(values.values())
    return Ticks(everything - values["idle"] - values["iowait"], everything)


def share(before: Optional[Ticks], after: Optional[Ticks]) -> Optional[float]:
    """Busy part of all CPUs between two looks, 0 to 1."""
    if before is None or after is None or after.all <= before.all:
        return None
    return min(1.0, max(0.0, (after.busy - before.busy) / (after.all - before.all)))


def process_in(text: Optional[str]) -> Optional[Process]:
    """Of /proc/PID/stat. The name may hold blanks and brackets, so what follows it is counted from its end."""
    words = (text or "").rpartition(")")[2].split()
    numbers = [words[1], *words[11:15]] if len(words) > 14 else []
    if not numbers or not all(word.lstrip("-").isdigit() for word in numbers):
        return None
    return Process(int(words[1]), sum(map(int, words[11:15])))


def read(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def processes() -> Dict[int, Process]:
    """All that can be seen."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return {}
    found = ((pid, process_in(read(f"/proc/{pid}/stat"))) for pid in pids)
    return {pid: process for pid, process in found if process is not None}


def family(root: int, seen: Dict[int, Process]) -> Set[int]:
    """A process with all that descend from it."""
    children: Dict[int, List[int]] = {}
    for pid, process in seen.items():
        children.setdefault(process.parent, []).append(pid)
    found: Set[int] = set()
    waiting = [root] if root in seen else []
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, []))
    return found


class Look(NamedTuple):
    """`ours`: ticks of our family; `pids`: its members."""

    all: Optional[Ticks]
    ours: Optional[int]
    pids: Set[int]


def look(root: int) -> Look:
    """Takes some milliseconds on a host with many processes: before and after the timed part only."""
    seen = processes()
    pids = family(root, seen)
    ours = sum(seen[pid].ticks for pid in pids) if pids else None
    return Look(ticks_in(read("/proc/stat")), ours, pids)


def foreign_share(before: Look, after: Look) -> Optional[float]:
    """What others used of all CPUs, 0 to 1."""
    if before.all is None or after.all is None or before.ours is None or after.ours is None:
        return None
    everything = after.all.all - before.all.all
    # Below a second of one CPU the clock ticks (10 ms) of the single processes say little.
    if everything < 100:
        return None
    foreign = (after.all.busy - before.all.busy) - (after.ours - before.ours)
    return min(1.0, max(0.0, foreign / everything))


def memory_used(text: Optional[str]) -> Optional[int]:
    """Bytes that could not be given to others, of /proc/meminfo."""
    values: Dict[str, int] = {}
    for line in (text or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            values[name] = int(words[0]) * 1024
    if "MemTotal" not in values or "MemAvailable" not in values:
        return None
    return values["MemTotal"] - values["MemAvailable"]


class Files:
    """/proc files that are read again and again, without opening them each time."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.open: Dict[str, Any] = {}
        for path in paths:
            try:
                self.open[path] = os.open(path, os.O_RDONLY)
            except OSError:
                self.open[path] = None

    def read(self, path: str) -> Optional[str]:
        descriptor = self.open.get(path)
        if descriptor is None:
            return None
        try:
            return os.pread(descriptor, 8192, 0).decode("ascii", "replace")
        except OSError:
            return None
