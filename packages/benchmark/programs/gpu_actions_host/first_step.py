"""The first step of a run: kernels are chosen, tuned and, with --compile, compiled. Never part of what is timed."""

import os
import threading
import time
from typing import Any, Callable, Dict, NamedTuple, Optional, Tuple

from gpu_actions_host.devices import Device, torch
from gpu_actions_host.events import emit, tell_error
from gpu_actions_host.faults import EXIT_CODES, Fault
from gpu_actions_host.memory import is_out_of_memory

# Longest part of a compiler's complaint that is repeated.
LONGEST = 600


class FirstStep(NamedTuple):
    """`seconds`: from the building of the model to the end of its first step. `compile_seconds`: of that, the first
    step itself, which is nearly all compiling; None when eager. `graphs`: into how many the model was compiled."""

    seconds: float
    compile_seconds: Optional[float]
    graphs: Optional[int]


def first_step(build: Callable[[], Any], device: Device, compiled: bool, limit: int) -> Tuple[Any, FirstStep]:
    """Builds the workload and runs its first step: (workload, FirstStep).

    A compiler that does not end within `limit` seconds ends the process, with an error event: nothing inside a
    compiler can be relied on to give way.
    Raises Fault('compile') when it fails.
    """
    started = time.perf_counter()
    workload = build()
    device.synchronize()
    stepped = time.perf_counter()
    watchdog = start_watchdog(limit) if compiled else None
    try:
        workload.step()
        device.synchronize()
    except Exception as error:
        if not compiled or is_out_of_memory(error):
            raise
        raise Fault("compile", f"PyTorch could not compile the model: {in_short(error)}") from error
    finally:
        if watchdog is not None:
            watchdog.cancel()
    ended = time.perf_counter()
    done = FirstStep(
        round(ended - started, 3), round(ended - stepped, 3) if compiled else None, graphs() if compiled else None
    )
    emit("first-step", **done._asdict())
    return workload, done


def start_watchdog(limit: int) -> threading.Timer:
    def give_up() -> None:
        tell_error("compile", f"PyTorch had not compiled the model after {limit} s")
        os._exit(EXIT_CODES["compile"])

    watchdog = threading.Timer(limit, give_up)
    watchdog.daemon = True
    watchdog.start()
    return watchdog


def in_short(error: BaseException) -> str:
    """Kind and first words of an error: a compiler's own are pages long."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:LONGEST]}"


def graphs() -> Optional[int]:
    """How many graphs torch.compile has made so far; None where it does not count them."""
    try:
        counters: Dict[str, Any] = torch._dynamo.utils.counters
        return int(counters["stats"]["unique_graphs"])
    except Exception:
        return None
