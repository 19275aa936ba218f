"""`stepper`: one variant of a paired measurement. Gets warm, then steps when it is told to on standard input."""

import sys
import time
from typing import Any, Dict, Sequence

from gpu_actions_host import WORKLOAD_VERSION, arguments, resnet50
from gpu_actions_host.events import emit, milliseconds
from gpu_actions_host.faults import Fault
from gpu_actions_host.memory import or_out_of_memory, with_smaller_batches


def main(given: Sequence[str]) -> int:
    """A line of input, `STEPS SHARE`: so many steps, each longer by that share. The end of the input: the end."""
    asked = arguments.parse(given)
    if asked.compatible or asked.gpus != 1:
        raise Fault("arguments", "The arguments are wrong", ["paired measures one GPU, and its own protocol only"])
    emit("start", program="stepper", workload_version=WORKLOAD_VERSION)
    resnet50.settle_environment(asked)
    device, threads = resnet50.open_device(asked, 0)
    from gpu_actions_host.measurement import Measurement
    from gpu_actions_host.ranks import Alone
    from gpu_actions_host.workload import Slowed

    measurement = Measurement(asked, device, threads, Alone())
    prepared: Dict[str, Any] = {}

    def prepare(batch_size: int) -> bool:
        prepared["it"] = measurement.prepare(measurement.shape(batch_size), Alone(), learns=False)
        return True

    with_smaller_batches(measurement.asked.batch_size, or_out_of_memory(prepare))
    workload = prepared["it"].workload
    emit("ready", clock="monotonic")
    for order in sys.stdin:
        steps, share = order.split()
        stepped = Slowed(workload, float(share), device) if float(share) > 0 else workload
        workload.refresh()
        device.synchronize()
        started = time.perf_counter_ns()
        for _ in range(int(steps)):
            stepped.step()
        device.synchronize()
        emit("sample", ms=milliseconds((time.perf_counter_ns() - started) / 1e6))
    return 0
