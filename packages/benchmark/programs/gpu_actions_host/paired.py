"""`paired`: two variants on one host, their steps interleaved in random order, so that what disturbs one disturbs both.

Where a process lies in memory makes it faster or slower for as long as it lives: on a CPU two processes of the same
work differ by 5 % and more. Variants that differ in nothing but an injected slow-down therefore share one process, its
model and its batch. All others need a process each (flags of torch hold for a process, and base and head may be of
different versions), and one waits without using a CPU while the other steps; there are rounds, each with new processes,
and what counts is how the rounds differ, not the pairs within one.
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
ROUNDS = 20
# What the events of a variant are for: the record; the others are only heard.
KEPT = ("environment", "plan", "first-step", "batch-halved")


class Wish(NamedTuple):
    pairs: int
    pair_steps: int
    # Each has new processes. 0: one process for both, all along.
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
    parser.add_argument("--rounds", type=arguments.whole(1), help="of new processes, where each variant has one [20]")
    parser.add_argument("--order-seed", type=arguments.whole(0), help="of the order (from the clock)")
    for variant in VARIANTS:
        parser.add_argument(f"--{variant}", default="", metavar="ARGS", help="arguments of this variant alone")
        parser.add_argument(f"--{variant}-python", default=sys.executable, metavar="PATH")
    found, common = parser.parse_known_args(list(given))
    of = {variant: [*common, *shlex.split(getattr(found, variant))] for variant in VARIANTS}
    faults = [f"{variant}: {fault}" for variant in VARIANTS for fault in faults_of(of[variant])]
    if found.rounds is not None and found.rounds > found.pairs:
        faults.append(f"--rounds: must not be above --pairs ({found.pairs})")
    if faults:
        raise Fault("arguments", "The arguments are wrong", faults)
    pythons = {variant: getattr(found, variant + "_python") for variant in VARIANTS}
    shared = found.rounds is None and pythons["base"] == pythons["head"] and alike(of["base"], of["head"])
    return Wish(
        found.pairs,
        found.pair_steps,
        0 if shared else found.rounds or min(ROUNDS, found.pairs),
        found.order_seed if found.order_seed is not None else time.time_ns() % 2**48,
        pythons,
        of,
    )


def slowdown_of(given: Sequence[str]) -> float:
    return arguments.parse(given).inject_slowdown


def alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether they ask for the same work, but for an injected slow-down."""
    first, second = (arguments.parse(given)._replace(inject_slowdown=0.0) for given in (one, other))
    return first == second


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

    def sample(self, steps: int, share: float = 0.0) -> float:
        """Milliseconds of so many steps, each made longer by that share."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has died: hear says of what
            self.process.stdin.write(f"{steps} {share}\n")
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


class Lane(NamedTuple):
    """How one variant steps: in which process, and how much slower than that does by itself."""

    variant: Variant
    share: float

    def kept(self) -> Dict[str, List[Any]]:
        """What its process told, with the slow-down that only this lane has."""
        told = json.loads(json.dumps(self.variant.kept))
        for plan in told["plan"] if self.share > 0 else []:
            plan["actual"]["injected_slowdown"] = self.share
        return told


@contextlib.contextmanager
def together(wish: Wish) -> Iterator[Dict[str, Lane]]:
    """One process for both."""
    shares = {name: slowdown_of(wish.arguments[name]) for name in VARIANTS}
    only = Variant("shared", wish.pythons["base"], [*wish.arguments["base"], "--inject-slowdown", "0"])
    try:
        only.hear("ready")
        yield {name: Lane(only, shares[name]) for name in VARIANTS}
    finally:
        only.end()


@contextlib.contextmanager
def variants(wish: Wish, order: random.Random) -> Iterator[Dict[str, Lane]]:
    """Both, warm. They start in random order, as whichever comes first may get the better memory."""
    running: Dict[str, Variant] = {}
    try:
        for name in order.sample(VARIANTS, 2):
            running[name] = Variant(name, wish.pythons[name], wish.arguments[name])
            running[name].hear("ready")
        yield {name: Lane(running[name], 0.0) for name in VARIANTS}
    finally:
        for variant in running.values():
            variant.end()


def main(given: Sequence[str]) -> int:
    wish = parse(given)
    order = random.Random(wish.seed)
    emit("start", program="paired", workload_version=WORKLOAD_VERSION)
    pairs: List[Dict[str, Any]] = []
    told: Dict[str, List[Any]] = {name: [] for name in VARIANTS}
    for number in range(1, wish.rounds + 1) if wish.rounds > 0 else [0]:
        until = wish.pairs * number // wish.rounds if wish.rounds > 0 else wish.pairs
        with variants(wish, order) if wish.rounds > 0 else together(wish) as running:
            for name in VARIANTS:
                told[name].append(running[name].kept())
                emit("variant", name=name, round=number, of=wish.rounds, **told[name][-1]["plan"][-1])
            while len(pairs) < until:
                first, second = order.sample(VARIANTS, 2)
                ms = {
                    name: running[name].variant.sample(wish.pair_steps, running[name].share) for name in (first, second)
                }
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
