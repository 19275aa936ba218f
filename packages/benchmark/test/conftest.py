"""What the tests of the host programs share: the programs as a zipapp, run in a process of its own."""

import json
import os
import pathlib
import subprocess
import sys
import zipapp
from typing import Any, Dict, List, NamedTuple

import pytest
import torch

torch.set_num_threads(1)

PROGRAMS = pathlib.Path(__file__).parent.parent / "programs"
# One thread: the machine may be busy with other tests.
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
TINY = ["--image-size", "32", "--batch-size", "2", "--allow-cpu"]


def bare(environment):
    return {name: value for name, value in environment.items() if name != "GOMP_SPINCOUNT"}


class Done(NamedTuple):
    code: int
    lines: List[str]

    def events(self) -> List[Dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def only(self, event: str) -> Dict[str, Any]:
        (found,) = [one for one in self.events() if one.get("event") == event]
        return found


@pytest.fixture(scope="session")
def zipped(tmp_path_factory):
    target = tmp_path_factory.mktemp("zipapp") / "programs.pyz"
    zipapp.create_archive(PROGRAMS, target, filter=lambda path: "__pycache__" not in path.parts)
    return target


@pytest.fixture(scope="session")
def run(zipped):
    """Runs `python programs.pyz …` and returns its exit code and the lines of its standard output."""

    def start(*arguments, **more):
        done = subprocess.run(
            [sys.executable, str(zipped), *arguments],
            stdout=subprocess.PIPE,
            env={**bare(os.environ), **ENVIRONMENT, **more},
            # Only a hang lasts longer, also on a machine that is busy with other tests.
            timeout=300,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode("ascii").splitlines())

    return start


@pytest.fixture(scope="session")
def compatible_run(run):
    return run("resnet50", "--compatible", *TINY, "--steps-per-epoch", "2", "--epochs", "2")


@pytest.fixture(scope="session")
def tiny_run(run):
    """One whole training run of the smallest size, for all tests that only look at it."""
    return run(
        "resnet50",
        *TINY,
        "--steps-per-epoch",
        "6",
        "--epochs",
        "2",
        "--warmup-steps",
        "3",
        "--seed",
        "7",
        "--sanity-steps",
        "4",
        "--on-cpu",
        "batch-size=2",
    )


@pytest.fixture(scope="session")
def inference_run(run):
    """Inference with more threads than usual, on a host that sets how long they spin."""
    return run("resnet50", *TINY, "--steps-per-epoch", "1", "--mode", "inference", "--threads", "3", GOMP_SPINCOUNT="5")
