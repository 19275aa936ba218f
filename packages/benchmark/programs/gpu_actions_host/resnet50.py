"""`resnet50`: measures training or inference of ResNet-50 on this host and prints what it measured, raw."""

import gc
import os
import time
from typing import Any, Callable, Dict, Optional, Sequence, TypeVar

from gpu_actions_host import WORKLOAD_VERSION, arguments, environment
from gpu_actions_host.events import emit
from gpu_actions_host.faults import Fault

T = TypeVar("T")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def main(given: Sequence[str]) -> int:
    """Raises Fault for every reason to end without a result."""
    asked = arguments.parse(given)
    emit("start", program="resnet50", workload_version=WORKLOAD_VERSION)
    if not asked.compatible:
        # Threads of GNU OpenMP that spin while they wait make steps up to 40 times longer once anything else runs on
        # the host's CPUs. Read when torch loads the library; the environment event shows it.
        os.environ.setdefault("GOMP_SPINCOUNT", "0")
    started = time.perf_counter()
    from gpu_actions_host import compatible, devices

    import_seconds = round(time.perf_counter() - started, 3)
    device = devices.choose(asked.allow_cpu)
    threads = devices.set_threads(asked.threads)
    emit("environment", import_seconds=import_seconds, threads=threads, **environment.collect())
    if asked.compatible:
        return compatible.run(asked, device)
    run(asked, device, threads)
    return 0


def run(asked: arguments.Arguments, device: Any, threads: int) -> None:
    from gpu_actions_host import precisions
    from gpu_actions_host.devices import torch

    precision = precisions.choose(asked.precision, device)
    precisions.apply(precision)
    seed = asked.seed if asked.seed is not None else time.time_ns() % 2**48
    torch.manual_seed(seed)
    blocks = arguments.divide(asked.epochs * asked.steps_per_epoch, asked.blocks)
    fewest = asked.warmup_steps or (10 if device.is_gpu else 2)
    most = asked.warmup_max_steps or (max(fewest, 100) if device.is_gpu else fewest)
    actual: Dict[str, Any] = {
        "mode": asked.mode,
        "image_size": asked.image_size,
        "precision": precision.name,
        "memory_format": asked.memory_format,
        "learning_rate": asked.learning_rate,
        "loss_scale": precision.loss_scale,
        "blocks": blocks.count,
        "steps_per_block": blocks.steps,
        "threads": threads,
        "seed": seed,
    }

    described = {"backend": device.backend, "name": device.name}

    def attempt(batch_size: int) -> Dict[str, Any]:
        shape = dict(actual, batch_size=batch_size)
        emit("plan", device=described, asked=asked._asdict(), actual=shape)
        return dict(measure(shape, precision, device, fewest, most), actual=shape)

    measured = with_smaller_batches(asked.batch_size, attempt)
    emit(
        "result",
        workload={"name": "resnet50-v1.5", "version": WORKLOAD_VERSION},
        asked=asked._asdict(),
        flags=precisions.flags(),
        device=described,
        clock="device-events" if device.is_gpu else "monotonic",
        **measured,
    )


def measure(shape: Dict[str, Any], precision: Any, device: Any, fewest: int, most: int) -> Dict[str, Any]:
    """One whole run with one batch size."""
    from gpu_actions_host.measuring import run_blocks, warm_up
    from gpu_actions_host.workload import Shape, Workload

    workload = Workload(Shape(**{name: shape[name] for name in Shape._fields}), precision, device)
    warmed = warm_up(workload, device, fewest, most)
    started = time.perf_counter()
    blocks = run_blocks(workload, device, shape["blocks"], shape["steps_per_block"], shape["batch_size"])
    return {
        "parameters": workload.parameters,
        "warmup": warmed._asdict(),
        "blocks": [block._asdict() for block in blocks],
        "duration_seconds": round(time.perf_counter() - started, 6),
        "peak_memory_bytes": device.peak_memory_bytes(),
    }


def with_smaller_batches(batch_size: int, attempt: Callable[[int], T]) -> T:
    """Tries again with half the batch each time the memory does not suffice."""
    while True:
        done = or_out_of_memory(attempt, batch_size)
        if done is not None:
            return done
        release()
        if batch_size == 1:
            raise Fault("out-of-memory", "A single image does not fit into the memory of the device")
        emit("batch-halved", **{"from": batch_size, "to": batch_size // 2})
        batch_size //= 2


def or_out_of_memory(attempt: Callable[[int], T], batch_size: int) -> Optional[T]:
    """None when memory ran out. Nothing of the failed attempt outlives this call, as its frames hold the tensors."""
    try:
        return attempt(batch_size)
    except RuntimeError as error:
        if not any(words in str(error) for words in OUT_OF_MEMORY):
            raise
        return None


def release() -> None:
    from gpu_actions_host.devices import torch

    gc.collect()
    torch.cuda.empty_cache()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
