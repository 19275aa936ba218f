"""Warm-up and timed blocks. Works on anything with `step()` and `refresh()`."""

import statistics
import time
from typing import Any, Callable, List, NamedTuple, Optional

from gpu_actions_host.devices import Device, Stopwatch
from gpu_actions_host.events import emit, milliseconds

# Two halves of the last steps whose medians differ by less than this show no trend.
SETTLED = 0.01
HALF = 5
# Steps between two looks at the trend, each of which waits for the device.
WARMUP_CHUNK = 5
# A GPU that throttles may never settle; the record says so.
WARMUP_SECONDS = 120.0


class Timed(NamedTuple):
    """`loss_first`, `loss_last`: None for inference."""

    step_ms: List[float]
    wall_ms: float
    loss_first: Optional[float]
    loss_last: Optional[float]


class WarmUp(NamedTuple):
    """`settled`: whether the last steps showed no trend; None with fewer than ten steps."""

    step_ms: List[float]
    seconds: float
    settled: Optional[bool]
    loss_first: Optional[float]
    loss_last: Optional[float]


def time_steps(workload: Any, device: Device, steps: int) -> Timed:
    """Runs steps without waiting for the device until after the last one."""
    first: Any = None
    last: Any = None
    device.synchronize()
    started = time.perf_counter_ns()
    watch = Stopwatch(device)
    for index in range(steps):
        last = workload.step()
        watch.mark()
        if index == 0:
            first = last
    device.synchronize()
    wall_ms = milliseconds((time.perf_counter_ns() - started) / 1e6)
    return Timed(watch.step_ms(), wall_ms, read(first), read(last))


def read(loss: Any) -> Optional[float]:
    return None if loss is None else round(float(loss), 6)


def settled(step_ms: List[float]) -> Optional[bool]:
    if len(step_ms) < 2 * HALF:
        return None
    before, after = statistics.median(step_ms[-2 * HALF : -HALF]), statistics.median(step_ms[-HALF:])
    return abs(after / before - 1) < SETTLED if before > 0 else None


def warm_up(workload: Any, device: Device, fewest: int, most: int, ranks: Any) -> WarmUp:
    """Runs at least `fewest` steps, and on until there is no trend or `most` steps or two minutes have gone."""
    started = time.perf_counter()
    parts: List[Timed] = []
    step_ms: List[float] = []
    while True:
        chunk = WARMUP_CHUNK if device.is_gpu and parts else 1
        room = (fewest if len(step_ms) < fewest else most) - len(step_ms)
        parts.append(time_steps(workload, device, min(chunk, room)))
        for duration in parts[-1].step_ms:
            step_ms.append(duration)
            emit("warmup", step=len(step_ms), of=max(fewest, len(step_ms)), step_ms=duration)
        enough = len(step_ms) >= most or time.perf_counter() - started > WARMUP_SECONDS
        if ranks.agree(len(step_ms) >= fewest and bool(enough or settled(step_ms))):
            seconds = round(time.perf_counter() - started, 3)
            return WarmUp(step_ms, seconds, settled(step_ms), parts[0].loss_first, parts[-1].loss_last)


class Blocks(NamedTuple):
    """`all`: a step of the machine is done when its slowest rank is; `each`: the same blocks, rank by rank."""

    all: List[Timed]
    each: List[List[Timed]]


def nothing() -> None:
    pass


def run_blocks(
    workload: Any,
    device: Device,
    count: int,
    steps: int,
    batch_size: int,
    ranks: Any,
    between: Callable[[], None] = nothing,
) -> Blocks:
    """Runs `count` blocks of `steps` steps; prints between them only. `batch_size`: of one rank."""
    blocks = Blocks([], [[] for _ in range(ranks.size)])
    for index in range(1, count + 1):
        parts = one_block(workload, device, steps, ranks)
        for each, part in zip(blocks.each, parts):
            each.append(part)
        block = together(parts)
        blocks.all.append(block)
        between()
        speed = ranks.size * batch_size * 1000 / statistics.median(block.step_ms)
        emit("block", index=index, of=count, images_per_second=round(speed, 3), **block._asdict())
    return blocks


def one_block(workload: Any, device: Device, steps: int, ranks: Any) -> List[Timed]:
    """Rank by rank."""
    workload.refresh()
    ranks.wait()
    return [Timed(*part) for part in ranks.gather(time_steps(workload, device, steps))]


def together(parts: List[Timed]) -> Timed:
    """The block of all ranks. One whose loss is not finite makes the whole not finite."""
    losses = [[part.loss_first for part in parts], [part.loss_last for part in parts]]
    first, last = [None if None in found else round(sum(found) / len(found), 6) for found in losses]
    step_ms = [max(times) for times in zip(*(part.step_ms for part in parts))]
    return Timed(step_ms, max(part.wall_ms for part in parts), first, last)


class Sanity(NamedTuple):
    """`losses`: of each step on one batch, from the first on."""

    losses: List[Optional[float]]
    seconds: float


def learn(workload: Any, device: Device, steps: int) -> Sanity:
    """Trains on one batch, so that its loss must fall where the training is real."""
    started = time.perf_counter()
    workload.refresh()
    losses = [workload.step() for _ in range(steps)]
    device.synchronize()
    read_all = [read(loss) for loss in losses]
    seconds = round(time.perf_counter() - started, 3)
    emit("sanity", steps=steps, loss_first=read_all[0], loss_last=read_all[-1], seconds=seconds)
    return Sanity(read_all, seconds)
