"""What the measuring itself costs: a null step through the whole harness, and real steps through it and in a bare loop
of the same model, in pairs and random order. Prints one JSON line; `npm run bench:harness` computes the rest.

Not in the zipapp: `python bench/harness_cost.py [--pairs 150] [--pair-steps 1] [--allow-cpu …flags of resnet50]`.
"""

import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "programs"))

from gpu_actions_host import arguments, devices, events, measurement, measuring, resnet50  # noqa: E402
from gpu_actions_host.ranks import Alone  # noqa: E402

NULL_BLOCKS = 50
NULL_STEPS = 20


class Nothing:
    def step(self):
        return None

    def refresh(self):
        pass


def null_step_ms(device):
    """Everything that a block does beside its steps, for a step: the marks, the synchronisation, the event."""
    started = time.perf_counter()
    measuring.run_blocks(Nothing(), device, NULL_BLOCKS, NULL_STEPS, 1, Alone())
    return (time.perf_counter() - started) * 1000 / (NULL_BLOCKS * NULL_STEPS)


def bare_loop(workload, steps):
    """The loop of any tutorial."""
    torch = devices.torch
    dtype, kind, scale = workload.precision.dtype, workload.device_type, workload.precision.loss_scale
    for _ in range(steps):
        workload.optimizer.zero_grad()
        with torch.autocast(kind, dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            loss = torch.nn.functional.cross_entropy(workload.forward(workload.images), workload.labels)
        (loss * scale).backward()
        workload.optimizer.step()


def timed_ms(device, work):
    device.synchronize()
    started = time.perf_counter()
    work()
    device.synchronize()
    return (time.perf_counter() - started) * 1000


def main():
    parser = arguments.Parser(allow_abbrev=False)
    parser.add_argument("--pairs", type=arguments.whole(1), default=150)
    parser.add_argument("--pair-steps", type=arguments.whole(1), default=1)
    own, rest = parser.parse_known_args()
    asked = arguments.parse(rest)
    resnet50.settle_environment(asked)
    events.silence()
    device, threads = resnet50.open_device(asked, 0)
    session = measurement.Measurement(asked, device, threads, Alone())
    workload = session.prepare(session.shape(session.asked.batch_size), Alone(), learns=False).workload
    null = null_step_ms(device)
    order = random.Random(session.actual["seed"])
    pairs = []
    for _ in range(own.pairs):
        found = {}
        for which in order.sample(["bare", "harness"], 2):
            workload.refresh()
            found[which] = timed_ms(
                device,
                (lambda: bare_loop(workload, own.pair_steps))
                if which == "bare"
                else (lambda: measuring.time_steps(workload, device, own.pair_steps)),
            )
        pairs.append({"base_ms": found["bare"], "head_ms": found["harness"]})
    actual = dict(session.actual, batch_size=session.asked.batch_size)
    print(events.line({"null_step_ms": null, "pair_steps": own.pair_steps, "actual": actual, "pairs": pairs}))


if __name__ == "__main__":
    main()
