"""`telemetry`: looks at the host once a second, from a process of its own. resnet50 starts one beside
itself, `--served`, and gives it orders on standard input; alone it prints what it sees until it is ended."""

import argparse
import datetime
import json
import os
import select
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from gpu_actions_host import gpu_sources, host_load, kernel_log, spot_notice, telemetry_summary
from gpu_actions_host.events import emit, line
from gpu_actions_host.telemetry_csv import Table

INTERVAL = 1.0
# Of a longer timed part than a day the summary is that of its first day.
MOST_LOOKS = 86_400
STAT, MEMORY = "/proc/stat", "/proc/meminfo"


class Mark(NamedTuple):
    """One end of the timed part. All of it is read in about a millisecond."""

    at: float
    energies: Dict[int, Any]
    host: host_load.Look
    own_seconds: float


class Watcher:
    def __init__(self, root: int, csv: Optional[str]) -> None:
        self.root = root
        self.source = gpu_sources.choose()
        self.files = host_load.Files((STAT, MEMORY))
        self.table = Table(csv)
        self.log = kernel_log.Follower()
        # What was there before belongs to no run.
        self.old_xids = len(self.log.news())
        self.ticks = host_load.ticks_in(self.files.read(STAT))
        self.last: Optional[Dict[str, Any]] = None
        self.paused = False
        self.counters: List[Dict[str, Any]] = []
        self.logged: Optional[List[kernel_log.Xid]] = None
        self.looks: List[Dict[str, Any]] = []
        self.begun: Optional[Mark] = None
        self.ended: Optional[Mark] = None
        self.xids: List[kernel_log.Xid] = []
        self.throttled: Set[Tuple[int, str]] = set()

    def tick(self) -> None:
        """One look."""
        ticks = host_load.ticks_in(self.files.read(STAT))
        share = host_load.share(self.ticks, ticks)
        self.ticks = ticks
        look = {
            "at": moment(),
            "gpus": self.source.samples(),
            "cpu_percent": None if share is None else round(100 * share, 2),
            "memory_used_bytes": host_load.memory_used(self.files.read(MEMORY)),
        }
        self.last = look
        timed = self.begun is not None and self.ended is None
        self.table.write(look, timed)
        if timed:
            if len(self.looks) < MOST_LOOKS:
                self.looks.append(look)
            self.tell_throttling(look)
        self.tell_xids()

    def tell_throttling(self, look: Dict[str, Any]) -> None:
        for gpu in look["gpus"]:
            for reason in gpu.get("throttle_reasons") or []:
                if (gpu["index"], reason) not in self.throttled:
                    self.throttled.add((gpu["index"], reason))
                    emit("throttled", at=look["at"], gpu=gpu["index"], reason=reason, microseconds=None)

    def tell_xids(self) -> None:
        for xid in self.log.news():
            self.xids.append(xid)
            emit("xid", at=moment(), **xid._asdict())

    def mark(self) -> Mark:
        host = host_load.look(self.root)
        return Mark(time.monotonic(), self.source.energies(), host, self.own_seconds())

    def own_seconds(self) -> float:
        """CPU time of this process and its tool."""
        tools = [host_load.process_in(host_load.read(f"/proc/{pid}/stat")) for pid in self.source.pids()]
        ticks = sum(process.ticks for process in tools if process is not None)
        return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")

    def obey(self, order: str) -> Dict[str, Any]:
        """The orders, in the order of a run. `before` and `after` take seconds, the others about a millisecond."""
        if order == "before":
            self.counters, self.looks, self.begun, self.ended = self.source.counters(), [], None, None
            self.logged = None if self.log.readable else kernel_log.since_boot()
        elif order == "mark":
            self.xids, self.begun = [], self.mark()
        elif order == "look":
            return {"look": self.last}
        elif order == "unmark":
            self.tell_xids()
            self.ended = self.mark()
        elif order == "pause":
            self.paused = True
            self.source.pause()
        elif order == "resume":
            self.paused = False
            self.source.resume()
        elif order == "after":
            return {"telemetry": self.summary()}
        return {}

    def summary(self) -> Optional[Dict[str, Any]]:
        begun, ended = self.begun, self.ended
        if begun is None or ended is None:
            return None
        users = self.source.compute_pids()
        gpus = telemetry_summary.gpus([look["gpus"] for look in self.looks], self.counters, self.source.counters())
        gpus = telemetry_summary.with_energy(gpus, begun.energies, ended.energies)
        self.tell_totals(gpus)
        seconds = ended.at - begun.at
        ours = begun.host.pids | ended.host.pids | {self.root}
        return {
            "source": self.source.name,
            "interval_seconds": INTERVAL,
            "samples": len(self.looks),
            "seconds": round(seconds, 3),
            "gpus": gpus,
            "energy_joules": telemetry_summary.energy(gpus),
            "cpu_percent": telemetry_summary.spread([look["cpu_percent"] for look in self.looks]),
            "memory_used_bytes": telemetry_summary.spread([look["memory_used_bytes"] for look in self.looks]),
            "foreign_cpu_share": rounded(host_load.foreign_share(begun.host, ended.host)),
            "foreign_gpu_processes": telemetry_summary.foreign_processes(users, ours, is_here),
            "xids": self.xids_told(),
            "own_cpu_share": round((ended.own_seconds - begun.own_seconds) / seconds, 6) if seconds > 0 else None,
            "csv_truncated": self.table.truncated,
        }

    def tell_totals(self, gpus: List[Dict[str, Any]]) -> None:
        for gpu in gpus:
            for reason, microseconds in (gpu["throttled_microseconds"] or {}).items():
                if microseconds:
                    emit("throttled", at=moment(), gpu=gpu["index"], reason=reason, microseconds=int(microseconds))

    def xids_told(self) -> Optional[List[int]]:
        """Codes; None when the kernel's log cannot be read, or no driver writes them there."""
        if self.source.name not in ("nvml", "nvidia-smi"):
            return None
        if self.log.readable:
            return [xid.code for xid in self.xids]
        found = kernel_log.new_since(self.logged, kernel_log.since_boot())
        for xid in found or []:
            emit("xid", at=moment(), **xid._asdict())
        return None if found is None else [xid.code for xid in found]

    def close(self) -> None:
        self.source.close()
        self.table.close()
        self.log.close()


def is_here(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def rounded(value: Optional[float]) -> Optional[float]:
    return None if value is None else round(value, 6)


def moment() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def serve(watcher: Watcher) -> None:
    """Obeys one order a line, and answers each with a line, until the input ends or whoever started this is gone."""
    parent, rest, due = os.getppid(), b"", time.monotonic()
    while os.getppid() == parent:
        wait = 5.0 if watcher.paused else max(0.0, due - time.monotonic())
        if select.select([0], [], [], wait)[0]:
            piece = os.read(0, 4096)
            if not piece:
                return
            *orders, rest = (rest + piece).split(b"\n")
            for order in orders:
                answer = watcher.obey(order.decode("ascii", "replace"))
                sys.stdout.write(line(dict(reply=order.decode("ascii", "replace"), **answer)) + "\n")
                sys.stdout.flush()
        if not watcher.paused and time.monotonic() >= due:
            watcher.tick()
            # A look that was missed is not made up for.
            due = due + INTERVAL if time.monotonic() < due + INTERVAL else time.monotonic() + INTERVAL


def show(watcher: Watcher, seconds: Optional[float]) -> None:
    """Prints each look, and the summary at the end."""
    watcher.obey("before")
    watcher.obey("mark")
    until = None if seconds is None else time.monotonic() + seconds
    while until is None or time.monotonic() < until:
        time.sleep(INTERVAL)
        watcher.tick()
        emit("telemetry", **(watcher.last or {}))
    watcher.obey("unmark")
    print(json.dumps(watcher.obey("after")["telemetry"]), flush=True)


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="programs.pyz telemetry", description=__doc__)
    parser.add_argument("--csv", metavar="PATH", help="also write every look there")
    parser.add_argument("--seconds", type=float, help="alone: how long to look (until it is ended)")
    parser.add_argument("--root", type=int, help="the process whose family is not foreign (this one)")
    parser.add_argument("--served", action="store_true", help="take orders on standard input")
    asked = parser.parse_args(list(given))
    watcher = Watcher(asked.root or os.getpid(), asked.csv)
    spot = spot_notice.start(emit)
    try:
        if asked.served:
            serve(watcher)
        else:
            show(watcher, asked.seconds)
    finally:
        spot.set()
        watcher.close()
    return 0
