"""The measuring side of telemetry: starts it, and asks it between blocks. Nothing of it runs while a block is timed but
one thread that sleeps until there is an alarm. What goes wrong with it never ends a run: its figures are None then."""

import contextlib
import os
import queue
import statistics
import subprocess
import sys
import threading
from typing import Any, Dict, List, Optional

from gpu_actions_host.events import emit, parsed

# What it tells by itself.
ALARMS = ("throttled", "xid", "spot-notice")
# nvidia-smi may take seconds on a host with eight GPUs.
PATIENCE = {"before": 60.0, "after": 60.0}


class NotWatching:
    """Telemetry is off."""

    on = False

    def ask(self, order: str) -> Optional[Dict[str, Any]]:
        return None

    def look(self) -> None:
        pass

    def close(self) -> None:
        pass


class Watch(NotWatching):
    on = True

    def __init__(self, root: int, csv: Optional[str]) -> None:
        program = os.path.abspath(sys.argv[0])
        options = ["--served", "--root", str(root), *([] if csv is None else ["--csv", csv])]
        self.process = subprocess.Popen(
            [sys.executable, program, "telemetry", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.replies: Any = queue.Queue()
        self.told: Optional[str] = None
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            told = parsed(text)
            if told.get("event") in ALARMS:
                emit(told.pop("event"), **told)
            elif "reply" in told:
                self.replies.put(told)
        self.replies.put(None)

    def ask(self, order: str) -> Optional[Dict[str, Any]]:
        """Its answer; None when it does not answer, and from then on."""
        if not self.on:
            return None
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(order.encode("ascii") + b"\n")
            self.process.stdin.flush()
            answer = self.replies.get(timeout=PATIENCE.get(order, 10.0))
        except (OSError, ValueError, queue.Empty):
            answer = None
        self.on = answer is not None
        return answer

    def look(self) -> None:
        """Tells the newest look, each once."""
        look = (self.ask("look") or {}).get("look")
        if look is not None and look["at"] != self.told:
            self.told = look["at"]
            emit("telemetry", **look)

    def close(self) -> None:
        self.on = False
        with contextlib.suppress(OSError):
            self.process.stdin and self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(is_on: bool, root: int, csv: Optional[str]) -> NotWatching:
    if not is_on:
        return NotWatching()
    try:
        return Watch(root, csv)
    except OSError:
        return NotWatching()


def with_overhead(
    told: Optional[Dict[str, Any]], last: List[float], without: Optional[List[float]]
) -> Optional[Dict[str, Any]]:
    """The summary with what telemetry cost: the last block with it against one more without it. Where blocks differ by
    more than that, it is their noise."""
    summary = (told or {}).get("telemetry")
    if summary is None:
        return None
    overhead = None
    if without and last:
        overhead = round(100 * (statistics.median(last) / statistics.median(without) - 1), 4)
    return dict(summary, overhead_percent=overhead, step_ms_without=without)
