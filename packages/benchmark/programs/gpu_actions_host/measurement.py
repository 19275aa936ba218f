"""One measurement of ResNet-50 from the first step to the result, on one GPU or as one of several ranks."""

import time
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from gpu_actions_host import WORKLOAD_VERSION, arguments, precisions, watching
from gpu_actions_host.devices import Device, torch
from gpu_actions_host.events import emit
from gpu_actions_host.faults import Fault
from gpu_actions_host.first_step import FirstStep, first_step
from gpu_actions_host.measuring import (
    Blocks,
    Sanity,
    WarmUp,
    learn,
    nothing,
    one_block,
    run_blocks,
    time_steps,
    together,
    warm_up,
)
from gpu_actions_host.memory import or_out_of_memory, release, with_smaller_batches
from gpu_actions_host.ranks import Alone, checksum
from gpu_actions_host.workload import Shape, Slowed, Workload

REWARM_STEPS = 5


class Limits(NamedTuple):
    warmup_steps: int
    warmup_max_steps: int
    sanity_steps: int
    compile_seconds: int


class Measurement:
    """What was asked for, made definite for this device."""

    def __init__(
        self, asked: arguments.Arguments, device: Device, threads: int, ranks: Any, watch: Optional[Any] = None
    ) -> None:
        self.watch = watch or watching.NotWatching()
        self.asked = asked if device.is_gpu else asked.for_cpu()
        self.device = device
        self.ranks = ranks
        self.precision = precisions.choose(self.asked.precision, device)
        if self.asked.compile and not hasattr(torch, "compile"):
            raise Fault("unsupported", f"PyTorch {torch.__version__} cannot compile; 2.0 and later can")
        precisions.apply(self.precision)
        # The ranks share the first one's clock, and draw different data.
        seed = ranks.agree(self.asked.seed if self.asked.seed is not None else time.time_ns() % 2**48)
        torch.manual_seed(seed + ranks.index)
        blocks = arguments.divide(self.asked.epochs * self.asked.steps_per_epoch, self.asked.blocks)
        self.limits = limits(self.asked, device)
        self.actual: Dict[str, Any] = {
            "mode": self.asked.mode,
            "image_size": self.asked.image_size,
            "precision": self.precision.name,
            "memory_format": self.asked.memory_format,
            "learning_rate": self.asked.learning_rate,
            "loss_scale": self.precision.loss_scale,
            "compile": self.asked.compile_backend if self.asked.compile else None,
            "gpus": ranks.size,
            "blocks": blocks.count,
            "steps_per_block": blocks.steps,
            "threads": threads,
            "seed": seed,
            "injected_slowdown": self.asked.inject_slowdown or None,
        }

    @property
    def described(self) -> Dict[str, Any]:
        return {"backend": self.device.backend, "name": self.device.name}

    def shape(self, batch_size: int) -> Dict[str, Any]:
        """Announces the run with this batch."""
        shape = dict(self.actual, batch_size=batch_size)
        emit("plan", device=self.described, asked=self.asked._asdict(), actual=shape)
        return shape

    def prepare(self, shape: Dict[str, Any], ranks: Any, learns: bool = True) -> "Prepared":
        """Builds the model, sees it learn, and runs it until it is warm."""

        def build() -> Any:
            made = Workload(Shape(**{name: shape[name] for name in Shape._fields}), self.precision, self.device, ranks)
            return Slowed(made, self.asked.inject_slowdown, self.device) if self.asked.inject_slowdown else made

        compiled = shape["compile"] is not None
        workload, first = first_step(build, self.device, compiled, self.limits.compile_seconds)
        # Before anything else has trained: weights that have learned other batches by heart learn a new one badly.
        steps = self.limits.sanity_steps if learns and shape["mode"] == "train" else 0
        sanity = learn(workload, self.device, steps) if steps > 0 else None
        fewest, most = self.limits.warmup_steps, self.limits.warmup_max_steps
        return Prepared(workload, first, sanity, warm_up(workload, self.device, fewest, most, ranks))

    def blocks(self, workload: Any, shape: Dict[str, Any], count: int, ranks: Any, between: Any = nothing) -> Blocks:
        return run_blocks(workload, self.device, count, shape["steps_per_block"], shape["batch_size"], ranks, between)

    def timed(self, workload: Any, shape: Dict[str, Any]) -> Tuple[Blocks, float, Optional[Dict[str, Any]]]:
        """The timed part: its blocks, its seconds and what telemetry saw meanwhile."""
        watch = self.watch
        # Counters take seconds to read, in which a GPU lowers its clocks.
        if self.ranks.agree(watch.ask("before") is not None) and self.device.is_gpu:
            time_steps(workload, self.device, REWARM_STEPS)
        watch.ask("mark")
        started = time.perf_counter()
        blocks = self.blocks(workload, shape, shape["blocks"], self.ranks, watch.look)
        duration = round(time.perf_counter() - started, 6)
        watch.ask("unmark")
        without = self.without_telemetry(workload, shape["steps_per_block"])
        return blocks, duration, watching.with_overhead(watch.ask("after"), blocks.all[-1].step_ms, without)

    def without_telemetry(self, workload: Any, steps: int) -> Optional[List[float]]:
        """One more block while telemetry rests, which is no part of the figures."""
        if not self.ranks.agree(self.watch.ask("pause") is not None):
            return None
        step_ms = together(one_block(workload, self.device, steps, self.ranks)).step_ms
        self.watch.ask("resume")
        return step_ms

    def run(self) -> Dict[str, Any]:
        """Measures with the largest batch that fits, and prints the result. Across ranks a batch that does not fit is
        an error of its rank: all of them start again."""
        tried = or_out_of_memory(self.attempt) if self.ranks.size == 1 else self.attempt
        measured = with_smaller_batches(self.asked.batch_size, tried)
        emit(
            "result",
            workload={"name": "resnet50-v1.5", "version": WORKLOAD_VERSION},
            asked=self.asked._asdict(),
            flags=precisions.flags(),
            device=self.described,
            clock="device-events" if self.device.is_gpu else "monotonic",
            **measured,
        )
        return measured

    def attempt(self, batch_size: int) -> Dict[str, Any]:
        """One whole run with one batch size."""
        shape = self.shape(batch_size)
        alone = self.first_rank_alone(shape) if self.ranks.size > 1 else None
        prepared = self.prepare(shape, self.ranks)
        workload = prepared.workload
        blocks, duration, telemetry = self.timed(workload, shape)
        told = self.ranks.gather(
            {
                "device": self.device.name,
                "peak_memory_bytes": self.device.peak_memory_bytes(),
                "parameters_sha256": checksum(workload.model) if self.ranks.size > 1 and workload.training else None,
            }
        )
        return {
            "actual": shape,
            "parameters": workload.parameters,
            "optimizer": workload.optimizer_kind,
            "first_step": prepared.first._asdict(),
            "warmup": prepared.warmed._asdict(),
            "blocks": [block._asdict() for block in blocks.all],
            "duration_seconds": duration,
            "sanity": prepared.sanity and prepared.sanity._asdict(),
            "peak_memory_bytes": highest([one["peak_memory_bytes"] for one in told]),
            "telemetry": telemetry,
            "alone": alone,
            "ranks": [
                dict(one, rank=index, blocks=[block._asdict() for block in each])
                for index, (one, each) in enumerate(zip(told, blocks.each))
            ]
            if self.ranks.size > 1
            else None,
        }

    def first_rank_alone(self, shape: Dict[str, Any]) -> Optional[Dict[str, Any]]:
        """What the first rank does with the machine to itself, for the scaling efficiency; None on the others, which
        wait without a step."""
        told: Optional[Dict[str, Any]] = None
        if self.ranks.index == 0:
            alone = Alone()
            emit("alone", blocks=arguments.MINIMUM_BLOCKS)
            prepared = self.prepare(shape, alone, learns=False)
            blocks = self.blocks(prepared.workload, shape, arguments.MINIMUM_BLOCKS, alone)
            told = {
                "first_step": prepared.first._asdict(),
                "warmup": prepared.warmed._asdict(),
                "blocks": [block._asdict() for block in blocks.all],
            }
            del prepared, blocks
            release()
        self.ranks.wait()
        # The same plan once more: the blocks that follow are those of all ranks.
        emit("plan", device=self.described, asked=self.asked._asdict(), actual=shape)
        return told


class Prepared(NamedTuple):
    workload: Any
    first: FirstStep
    sanity: Optional[Sanity]
    warmed: WarmUp


def highest(values: List[Optional[int]]) -> Optional[int]:
    known = [value for value in values if value is not None]
    return max(known) if known else None


def limits(asked: arguments.Arguments, device: Device) -> Limits:
    """A CPU's steps take so long, and vary so little with time, that few of them must do."""
    fewest = asked.warmup_steps or (10 if device.is_gpu else 2)
    most = asked.warmup_max_steps or (max(fewest, 100) if device.is_gpu else fewest)
    sanity = asked.sanity_steps if asked.sanity_steps is not None else (30 if device.is_gpu else 10)
    return Limits(fewest, most, sanity, asked.compile_timeout)
