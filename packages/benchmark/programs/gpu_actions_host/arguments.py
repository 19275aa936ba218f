"""The flags of `resnet50`. All that is wrong with them is reported at once."""

import argparse
import re
from typing import Any, Callable, Dict, List, NamedTuple, NoReturn, Optional, Sequence, Tuple, Union

from gpu_actions_host.faults import Fault

PRECISIONS = ("auto", "bf16", "fp16", "fp32", "tf32")
MEMORY_FORMATS = ("channels_last", "contiguous")
MODES = ("train", "inference")
# eager traces the model as inductor does, and then runs it uncompiled: a quick look at the way there.
COMPILE_BACKENDS = ("inductor", "eager")
MINIMUM_BLOCKS = 5
# ResNet-50 divides the image's side by 32; from 32 px on every layer sees at least one pixel.
MINIMUM_IMAGE_SIZE = 32


# What the reference's program knows, and what only says how to run it.
COMPATIBLE_FLAGS = ("epochs", "steps-per-epoch", "batch-size", "image-size", "lr", "threads", "seed")
FIXED = "the reference's protocol fixes it; leave it out with --compatible"


class Arguments(NamedTuple):
    """What was asked for. None: the program chooses by the device."""

    compatible: bool
    mode: str
    epochs: int
    steps_per_epoch: int
    batch_size: int
    image_size: int
    precision: str
    memory_format: str
    learning_rate: float
    blocks: Optional[int]
    warmup_steps: Optional[int]
    warmup_max_steps: Optional[int]
    threads: Optional[int]
    seed: Optional[int]
    allow_cpu: bool
    gpus: Union[int, str]
    compile: bool
    compile_backend: str
    compile_timeout: int
    sanity_steps: Optional[int]
    inject_slowdown: float
    telemetry: str
    telemetry_csv: Optional[str]
    commit: Optional[str]
    on_cpu: Dict[str, Any]

    def for_cpu(self) -> "Arguments":
        """The same with what was asked for in case that the CPU is measured."""
        return self._replace(**self.on_cpu)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Fault("arguments", "The arguments are wrong", [message])


def whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise ValueError(f"must be a whole number of at least {least}")
        return int(text)

    return parse


def positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError("must be a number above 0")
    return value


def fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 10:
        raise ValueError("must be a number from 0 to 10")
    return value


def gpus(text: str) -> Union[int, str]:
    if text != "all" and (not text.isdigit() or int(text) < 1):
        raise ValueError("must be all, or a whole number of at least 1")
    return text if text == "all" else int(text)


def commit(text: str) -> str:
    if re.fullmatch(r"[0-9a-f]{7,64}(-dirty)?", text) is None:
        raise ValueError("must be a commit of git, with -dirty behind it where files were changed")
    return text


def choice(choices: Sequence[str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError("must be one of {}".format(", ".join(choices)))
        return text

    return parse


# flag: (how to read it, default, help); a default of None is decided by the device or the mode.
FLAGS: Dict[str, Tuple[Callable[[str], Any], Any, str]] = {
    "mode": (choice(MODES), "train", "what a step is"),
    "epochs": (whole(1), 1, "timed steps = epochs × steps per epoch"),
    "steps-per-epoch": (whole(1), 200, "rounded up until the blocks are equal"),
    "batch-size": (whole(1), 128, "halved until it fits into memory"),
    "image-size": (whole(MINIMUM_IMAGE_SIZE), 224, "side of the square images in pixels"),
    "precision": (choice(PRECISIONS), "auto", "auto: bf16 where the GPU has it, else fp16; fp32 on a CPU"),
    "memory-format": (choice(MEMORY_FORMATS), "channels_last", "layout of images and weights"),
    "lr": (positive, None, "learning rate of SGD with momentum 0.9 (0.005; 0.1 with --compatible)"),
    "blocks": (whole(MINIMUM_BLOCKS), None, "number of timed blocks (chosen by the number of steps)"),
    "warmup-steps": (whole(1), None, "fewest steps before the timed part (10 on a GPU, 2 on a CPU)"),
    "warmup-max-steps": (whole(1), None, "most steps before the timed part (100 on a GPU, the fewest on a CPU)"),
    "threads": (whole(1), None, "CPU threads (OMP_NUM_THREADS, else the CPUs of this process)"),
    "seed": (whole(0), None, "seed of weights and data (from the clock)"),
    "gpus": (gpus, 1, "all, or how many; each is a process of its own. On a CPU: the number of processes"),
    "compile-backend": (choice(COMPILE_BACKENDS), "inductor", "with --compile"),
    "compile-timeout": (whole(1), 600, "with --compile: most seconds until the first step has ended"),
    "sanity-steps": (whole(0), None, "steps on one batch, to see the loss fall (30 on a GPU, 10 on a CPU; 0: none)"),
    "inject-slowdown": (fraction, 0.0, "for tests of the comparison: makes each step longer by this share of it"),
    "telemetry": (choice(("on", "off")), "on", "look at the host once a second, from a process of its own"),
    "telemetry-csv": (str, None, "a file for every look"),
    "commit": (commit, None, "what is measured, for the record"),
}
# Sizes that a CPU needs smaller ones of.
ON_CPU = ("epochs", "steps-per-epoch", "batch-size", "image-size", "blocks", "warmup-steps", "warmup-max-steps")


def parser() -> Parser:
    made = Parser(prog="programs.pyz resnet50", description=__doc__, allow_abbrev=False)
    for name, (_, default, words) in FLAGS.items():
        shown = "" if default is None else f" [{default}]"
        made.add_argument("--" + name, metavar="X", help=words + shown)
    made.add_argument("--on-cpu", metavar="NAME=X,…", help="what else holds where the CPU is measured")
    made.add_argument("--allow-cpu", action="store_true", help="run on the CPU where there is no GPU")
    made.add_argument("--compile", action="store_true", help="compile the model (torch.compile)")
    made.add_argument("--compatible", action="store_true", help="the reference's protocol and last line")
    return made


def read_on_cpu(text: str) -> Tuple[Dict[str, Any], List[str]]:
    """`batch-size=8,image-size=64` → the values, and the faults."""
    values: Dict[str, Any] = {}
    faults: List[str] = []
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in ON_CPU:
            faults.append("--on-cpu: knows {}, not '{}'".format(", ".join(ON_CPU), name))
            continue
        try:
            values[name.replace("-", "_")] = FLAGS[name][0](value)
        except ValueError as error:
            faults.append(f"--on-cpu: {name}: {error}, not '{value}'")
    return values, faults


def read_flags(found: argparse.Namespace) -> Tuple[Dict[str, Any], List[str]]:
    values: Dict[str, Any] = {}
    faults: List[str] = []
    for name, (read, default, _) in FLAGS.items():
        text = getattr(found, name.replace("-", "_"))
        if found.compatible and text is not None and name not in COMPATIBLE_FLAGS:
            faults.append(f"--{name}: {FIXED}")
        try:
            values[name.replace("-", "_")] = default if text is None else read(text)
        except ValueError as error:
            faults.append(f"--{name}: {error}, not '{text}'")
    return values, faults


def parse(arguments: Sequence[str]) -> Arguments:
    """Raises Fault('arguments') that lists every fault."""
    found, unknown = parser().parse_known_args(list(arguments))
    values, wrong = read_flags(found)
    on_cpu, wrong_on_cpu = read_on_cpu(found.on_cpu) if found.on_cpu else ({}, [])
    faults = [f"{text}: unknown" for text in unknown] + wrong + wrong_on_cpu
    for name, given in (("compile", found.compile), ("on-cpu", found.on_cpu)):
        if found.compatible and given:
            faults.append(f"--{name}: {FIXED}")
    fewest, most = values.get("warmup_steps"), values.get("warmup_max_steps")
    if fewest is not None and most is not None and most < fewest:
        faults.append(f"--warmup-max-steps: must not be below --warmup-steps ({fewest})")
    if faults:
        raise Fault("arguments", "The arguments are wrong", faults)
    rate = values.pop("lr")
    return Arguments(
        compatible=found.compatible,
        allow_cpu=found.allow_cpu,
        compile=found.compile,
        on_cpu=on_cpu,
        learning_rate=rate if rate is not None else (0.1 if found.compatible else 0.005),
        **values,
    )


class Blocks(NamedTuple):
    count: int
    steps: int


def divide(steps: int, asked: Optional[int]) -> Blocks:
    """Splits the timed steps into equal blocks, rounding the steps up where they cannot be.

    Ten blocks where each gets at least ten steps (a better interval), else five.
    """
    count = asked if asked is not None else (10 if steps >= 100 else MINIMUM_BLOCKS)
    return Blocks(count, -(-steps // count))
