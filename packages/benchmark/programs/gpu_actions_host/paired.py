"""`paired`: two variants on one host, their steps interleaved in random order, so that what disturbs one disturbs both.

Each variant is a process of its own (flags of torch hold for a process, and base and head may be of different
versions), and one waits without using a CPU while the other steps. Where a process lies in memory makes it a little
faster or slower for as long as it lives: so there are rounds, each with new processes.
"""

import contextlib
import json
import os
import random
import shlex
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence

from gpu_actions_host import WORKLOAD_VERSION, arguments
from gpu_actions_host.events import emit
from gpu_actions_host.faults import EXIT_CODES, Fault

VARIANTS = ("base", "head")
# What the events of a variant are for: the record; the others are only heard.
KEPT = ("environment", "plan", "first-step", "batch-halved")


class Wish(NamedTuple):
    pairs: int
    pair_steps: int
    rounds: int
    seed: int
    # Variant → Python, and arguments of its stepper.
    pythons: Dict[str, str]
    arguments: Dict[str, List[str]]


def parse(given: Sequence[str]) -> Wish:
    """Flags of its own; all others are those of resnet50, and hold for both variants."""
    parser = arguments.Parser(prog="programs.pyz paired", description=__doc__, allow_abbrev=False)
    parser.add_argument("--pairs", type=arguments.whole(1), default=150, help="[150]")
    parser.add_argument("--pair-steps", type=arguments.whole(1), default=1, help="steps of each half of a pair [1]")
    parser.add_argument("--rounds", type=arguments.whole(1), default=3, help="how often new processes start [3]")
    parser.add_argument("--order-seed", type=arguments.whole(0), help="of the order (from the clock)")
    for variant in VARIANTS:
        parser.add_argument(f"--{variant}", default="", metavar="ARGS", help="arguments of this variant alone")
        parser.add_argument(f"--{variant}-python", default=sys.executable, metavar="PATH")
    found, common = parser.parse_known_args(list(given))
    of = {variant: [*common, *shlex.split(getattr(found, variant))] for variant in VARIANTS}
    faults = [f"{variant}: {fault}" for variant in VARIANTS for fault in faults_of(of[variant])]
    if found.rounds > found.pairs:
        faults.append(f"--rounds: must not be above --pairs ({found.pairs})")
    if faults:
        raise Fault("arguments", "The arguments are wrong", faults)
    return Wish(
        found.pairs,
        found.pair_steps,
        found.rounds,
        found.order_seed if found.order_seed is not None else time.time_ns() % 2**48,
        {variant: getattr(found, variant + "_python") for variant in VARIANTS},
        of,
    )


def faults_of(given: Sequence[str]) -> List[str]:
    try:
        arguments.parse(given)
    except Fault as fault:
        return fault.faults
    return []


class Variant:
    """One stepper. Raises Fault with its reason when it ends before it was told to."""

    def __init__(self, name: str, python: str, given: Sequence[str]) -> None:
        self.name = name
        self.kept: Dict[str, List[Any]] = {}
        command = [python, os.path.abspath(sys.argv[0]), "stepper", *given]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def hear(self, until: str) -> Dict[str, Any]:
        """Reads its events up to one of this name."""
        assert self.process.stdout is not None
        for text in self.process.stdout:
            event = event_of(text)
            if event.get("event") == until:
                return event
            if event.get("event") == "error":
                kind = event["kind"] if event["kind"] in EXIT_CODES else "internal"
                raise Fault(kind, "The {} variant: {}".format(self.name, event["message"]), event["faults"])
            if event.get("event") in KEPT:
                self.kept.setdefault(event.pop("event"), []).append(event)
        raise Fault("internal", f"The {self.name} variant ended with exit code {self.process.wait()} and no word")

    def sample(self, steps: int) -> float:
        """Milliseconds of so many steps."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: hear says of what
            self.process.stdin.write(f"{steps}\n")
            self.process.stdin.flush()
        return float(self.hear("sample")["ms"])

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream and stream.close()


def event_of(text: str) -> Dict[str, Any]:
    try:
        event = json.loads(text)
    except ValueError:
        event = None
    if isinstance(event, dict):
        return event
    print(text, end="", flush=True)  # what a library printed
    return {}


@contextlib.contextmanager
def variants(wish: Wish, order: random.Random) -> Iterator[Dict[str, Variant]]:
    """Both, warm. They start in random order, as whichever comes first may get the better memory."""
    running: Dict[str, Variant] = {}
    try:
        for name in order.sample(VARIANTS, 2):
            running[name] = Variant(name, wish.pythons[name], wish.arguments[name])
            running[name].hear("ready")
        yield running
    finally:
        for variant in running.values():
            variant.end()


def main(given: Sequence[str]) -> int:
    wish = parse(given)
    order = random.Random(wish.seed)
    emit("start", program="paired", workload_version=WORKLOAD_VERSION)
    pairs: List[Dict[str, Any]] = []
    told: Dict[str, List[Any]] = {name: [] for name in VARIANTS}
    for number in range(1, wish.rounds + 1):
        until = wish.pairs * number // wish.rounds
        with variants(wish, order) as running:
            for name in VARIANTS:
                told[name].append(running[name].kept)
                emit("variant", name=name, round=number, of=wish.rounds, **running[name].kept["plan"][-1])
            while len(pairs) < until:
                first, second = order.sample(VARIANTS, 2)
                ms = {name: running[name].sample(wish.pair_steps) for name in (first, second)}
                pair = {"round": number, "first": first, "base_ms": ms["base"], "head_ms": ms["head"]}
                pairs.append(pair)
                emit("pair", index=len(pairs), of=wish.pairs, **pair)
    emit(
        "paired-result",
        workload={"name": "resnet50-v1.5", "version": WORKLOAD_VERSION},
        clock="monotonic",
        pair_steps=wish.pair_steps,
        order_seed=wish.seed,
        arguments=wish.arguments,
        # Of the first round: the others are alike, but for their seeds.
        variants={name: told[name][0] for name in VARIANTS},
        pairs=pairs,
    )
    return 0
