"""The part of the preflight that computes: are the numbers right, and how quick are memory, arithmetic and links?"""

import contextlib
import statistics
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from gpu_actions_host.devices import Device, torch

SEED = 20261127
REPEATS = 20
# Single precision over sums of some thousand terms, in another order: its rounding stays far below this.
TOLERANCE = 1e-3


def synchronize(device: Device) -> None:
    if device.is_gpu:
        torch.cuda.synchronize(device.torch)


def seconds_of(device: Device, work: Callable[[], Any], repeats: int) -> float:
    """The median of some repeats, each waited for, after two that do not count."""
    times: List[float] = []
    for index in range(repeats + 2):
        synchronize(device)
        started = time.perf_counter()
        work()
        synchronize(device)
        if index >= 2:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def numbers(device: Device) -> Dict[str, Any]:
    """A matmul and a convolution of fixed data in full single precision, again and again: all results must be equal bit
    by bit, and close to what the CPU computes (on a CPU: in double precision)."""
    side, channels, edge = (2048, 64, 56) if device.is_gpu else (256, 16, 24)
    generator = torch.Generator().manual_seed(SEED)
    left, right = (torch.randn(side, side, generator=generator) for _ in range(2))
    images = torch.randn(4, channels, edge, edge, generator=generator)
    weights = torch.randn(channels, channels, 3, 3, generator=generator)
    exact = torch.float32 if device.is_gpu else torch.float64

    def both(first: Any, second: Any, third: Any, fourth: Any) -> Tuple[Any, Any]:
        return first @ second, torch.nn.functional.conv2d(third, fourth, padding=1)

    with full_precision(), torch.no_grad():
        wanted = both(*(one.to(exact) for one in (left, right, images, weights)))
        held = [one.to(device.torch) for one in (left, right, images, weights)]
        first = both(*held)
        different = sum(not equal(first, both(*held)) for _ in range(REPEATS - 1))
        error = max(relative_error(found, right_one) for found, right_one in zip(first, wanted))
    return {"repeats": REPEATS, "different": different, "error": error, "tolerance": TOLERANCE}


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """No TF32, and one and the same kernel each time."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    wanted = (
        (cudnn, "deterministic", True),
        (cudnn, "benchmark", False),
        (cudnn, "allow_tf32", False),
        (matmul, "allow_tf32", False),
    )
    kept = [(place, name, getattr(place, name)) for place, name, _ in wanted]
    try:
        for place, name, value in wanted:
            setattr(place, name, value)
        yield
    finally:
        for place, name, value in kept:
            setattr(place, name, value)


def equal(left: Tuple[Any, ...], right: Tuple[Any, ...]) -> bool:
    return all(bool(torch.equal(one, other)) for one, other in zip(left, right))


def relative_error(found: Any, wanted: Any) -> float:
    """The largest, against the largest number. Infinite for numbers that are none."""
    wanted = wanted.to(torch.float64)
    largest = float(wanted.abs().max())
    error = float((found.to("cpu").to(torch.float64) - wanted).abs().max())
    return error / largest if error == error else float("inf")


def memory_speed(device: Device) -> Dict[str, Optional[float]]:
    """Bytes/s read and written by a copy, and by a triad (a = b + s·c)."""
    count = ((2**30 if device.is_gpu else 2**26) // 4) if room_for(device, 3 * 2**30) else 2**24
    repeats = 20 if device.is_gpu else 3
    source, other, target = (torch.empty(count, device=device.torch).fill_(value) for value in (1.0, 2.0, 0.0))
    copied = seconds_of(device, lambda: target.copy_(source), repeats)
    added = seconds_of(device, lambda: torch.add(source, other, alpha=3.0, out=target), repeats)
    return {"copy": 2 * 4 * count / copied, "triad": 3 * 4 * count / added}


def room_for(device: Device, size: int) -> bool:
    return not device.is_gpu or torch.cuda.mem_get_info(device.torch)[0] > 1.5 * size


def matmul_speed(device: Device) -> Tuple[float, str]:
    """(FLOP/s, what was multiplied): normal numbers, because constant ones draw less power and run faster."""
    if not device.is_gpu:
        dtype, side, name = torch.float32, 512, "fp32 512³"
    elif device.has_bf16():
        dtype, side, name = torch.bfloat16, 8192, "bf16 8192³"
    else:
        dtype, side, name = torch.float16, 4096, "fp16 4096³"
    left, right = (torch.randn(side, side, device=device.torch).to(dtype) for _ in range(2))
    target = torch.empty(side, side, device=device.torch, dtype=dtype)
    # As many in a row as take a while: the start of a single one would be measured with it.
    burst = 10 if device.is_gpu else 1

    def work() -> None:
        for _ in range(burst):
            torch.mm(left, right, out=target)

    return burst * 2 * side**3 / seconds_of(device, work, 10 if device.is_gpu else 3), name


def link_speed(device: Device, look: Callable[[], Any]) -> Tuple[float, float, Any]:
    """(bytes/s to the GPU, from it, what `look` told while the link was busy); pinned memory."""
    size = 2**28
    host = torch.empty(size, dtype=torch.uint8).pin_memory()
    held = torch.empty(size, dtype=torch.uint8, device=device.torch)
    there = size / seconds_of(device, lambda: held.copy_(host, non_blocking=True), 10)
    back = size / seconds_of(device, lambda: host.copy_(held, non_blocking=True), 10)
    for _ in range(20):
        held.copy_(host, non_blocking=True)
    seen = look()
    synchronize(device)
    return there, back, seen


def peer_speed(first: int, second: int) -> float:
    """Bytes/s from one GPU to another, one way."""
    size = 2**28
    source = torch.ones(size, dtype=torch.uint8, device=f"cuda:{first}")
    target = torch.empty(size, dtype=torch.uint8, device=f"cuda:{second}")
    times: List[float] = []
    for _ in range(12):
        torch.cuda.synchronize(first)
        torch.cuda.synchronize(second)
        started = time.perf_counter()
        target.copy_(source, non_blocking=True)
        torch.cuda.synchronize(first)
        torch.cuda.synchronize(second)
        times.append(time.perf_counter() - started)
    return size / statistics.median(times[2:])
