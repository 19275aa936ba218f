"""Xid errors: what NVIDIA's kernel driver says of its GPUs in the kernel's log. The log is followed as a file where
this process may read it (root, or `dmesg_restrict` 0), else read by dmesg or journalctl before and after."""

import os
import re
from typing import Dict, List, NamedTuple, Optional

from gpu_actions_host.readings import output_of

# `NVRM: Xid (PCI:0000:3b:00): 79, pid=1, name=python3, GPU has fallen off the bus.` SXid, of switches, is none.
XID = re.compile(r"NVRM: Xid \((?P<gpu>[^)\n]{1,40})\): (?P<code>\d{1,4})(?:, ?(?P<message>[^\n]*))?")
LOG = "/dev/kmsg"

# What a code asks for. `fail`: Azure's list (azurehpc-health-checks @0e0a1ac2) with 94 and 95 (contained and
# uncontained memory errors, docs.nvidia.com/deploy/xid-errors); 140 is not verified. `warn`: faults of programs.
FAIL = {48, 56, 57, 58, 62, 63, 64, 65, 68, 69, 73, 74, 79, 80, 81, 92, 94, 95, 119, 120, 140}
WARN = {13, 31, 43, 45}


class Xid(NamedTuple):
    gpu: str
    code: int
    message: Optional[str]


def severity(code: int) -> str:
    """`fail`, or `warn`: for an unknown code too, because nobody can say that it is harmless."""
    return "fail" if code in FAIL else "warn"


def xids_in(text: Optional[str]) -> List[Xid]:
    return [
        Xid(found.group("gpu"), int(found.group("code")), (found.group("message") or "").strip()[:300] or None)
        for found in XID.finditer(text or "")
    ]


def since_boot() -> Optional[List[Xid]]:
    """All that are still in the log; None when nobody lets this process read it."""
    follower = Follower()
    if follower.readable:
        found = follower.news()
        follower.close()
        return found
    for command in (["dmesg"], ["journalctl", "--dmesg", "--no-pager", "--quiet"]):
        text = output_of(command, 10)
        # journalctl prints nothing, and no error, to those who may not see the kernel's messages.
        if text is not None and text.strip() != "":
            return xids_in(text)
    return None


class Follower:
    """Reads the log from its beginning, and then what is new, without ever waiting."""

    def __init__(self, path: str = LOG) -> None:
        self.descriptor: Optional[int] = None
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            self.readable = True
        except OSError:
            self.readable = False

    def news(self, most: int = 100_000) -> List[Xid]:
        """One read is one message there. A message that was overwritten meanwhile is skipped (EPIPE)."""
        found: List[Xid] = []
        for _ in range(most):
            if self.descriptor is None:
                break
            try:
                record = os.read(self.descriptor, 8192)
            except BrokenPipeError:
                continue
            except OSError:
                break
            if not record:
                break
            found.extend(xids_in(record.decode("utf-8", "replace")))
        return found

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def new_since(before: Optional[List[Xid]], after: Optional[List[Xid]]) -> Optional[List[Xid]]:
    """Those that came meanwhile; a log only grows, at least within a run."""
    if before is None or after is None:
        return None
    left: Dict[Xid, int] = {}
    for xid in before:
        left[xid] = left.get(xid, 0) + 1
    found: List[Xid] = []
    for xid in after:
        if left.get(xid, 0) > 0:
            left[xid] -= 1
        else:
            found.append(xid)
    return found
