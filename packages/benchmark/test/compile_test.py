import json
import subprocess
import sys

import pytest
import torch
from conftest import PROGRAMS, TINY
from gpu_actions_host import devices
from gpu_actions_host.faults import Fault
from gpu_actions_host.first_step import first_step

CPU = devices.Device(torch.device("cpu"), "cpu", None)

# A compiler that hangs: the watchdog must end the process, as nothing else could.
HANGS = """
import sys, time
sys.path.insert(0, {programs!r})
import torch
from gpu_actions_host import devices
from gpu_actions_host.first_step import first_step
class Hangs:
    def step(self):
        while True:
            time.sleep(1)
first_step(Hangs, devices.Device(torch.device("cpu"), "cpu", None), True, 1)
"""


class Small:
    """A layer that is compiled when it is first stepped."""

    def __init__(self, backend):
        self.layer = torch.compile(torch.nn.Linear(4, 2), backend=backend)

    def step(self):
        return self.layer(torch.randn(3, 4))


def test_a_compiler_that_fails_is_an_error_of_its_own_kind():
    def broken(_graph, _inputs):
        raise ValueError("no such instruction")

    with pytest.raises(Fault, match="no such instruction") as failed:
        first_step(lambda: Small(broken), CPU, True, 60)
    assert failed.value.kind == "compile"


def test_memory_that_runs_out_while_compiling_is_no_fault_of_the_compiler():
    class Big:
        def step(self):
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    with pytest.raises(RuntimeError, match="out of memory"):
        first_step(Big, CPU, True, 60)


def test_a_compiler_that_does_not_end_ends_the_run():
    done = subprocess.run(
        [sys.executable, "-c", HANGS.format(programs=str(PROGRAMS))], stdout=subprocess.PIPE, timeout=100, check=False
    )
    assert done.returncode == 9
    error = json.loads(done.stdout)
    assert (error["kind"], error["message"]) == ("compile", "PyTorch had not compiled the model after 1 s")


def test_a_compiled_run_says_with_what_and_how_long_it_took(run):
    arguments = ["--mode", "inference", "--steps-per-epoch", "1", "--compile", "--compile-backend", "eager"]
    done = run("resnet50", *TINY, *arguments)
    result = done.only("result")
    assert result["actual"]["compile"] == "eager"
    assert result["first_step"]["graphs"] == 1, "the whole model in one graph"
    assert result["first_step"]["compile_seconds"] > 0
    assert len(result["blocks"]) == 5
