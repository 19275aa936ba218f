import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import ENVIRONMENT, TINY
from gpu_actions_host import arguments, devices, memory, precisions
from gpu_actions_host.events import line
from gpu_actions_host.faults import Fault
from gpu_actions_host.measuring import settled

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
CPU = devices.Device(torch.device("cpu"), "cpu", None)


def test_a_run_prints_its_events_in_order(tiny_run):
    assert tiny_run.code == 0
    told = [event["event"] for event in tiny_run.events()]
    # A look at the host, where there is a new one, stands before a block.
    assert all(after == "block" for look, after in zip(told, told[1:]) if look == "telemetry")
    assert [event for event in told if event != "telemetry"] == [
        "start",
        "environment",
        "plan",
        "first-step",
        "sanity",
        *["warmup"] * 3,
        *["block"] * 5,
        "result",
    ]


def test_every_step_is_in_the_result_raw(tiny_run):
    result = tiny_run.only("result")
    assert [len(block["step_ms"]) for block in result["blocks"]] == [3] * 5, "12 steps, rounded up to equal blocks"
    assert len(result["warmup"]["step_ms"]) == 3
    assert [block["step_ms"] for block in result["blocks"]] == [
        event["step_ms"] for event in tiny_run.events() if event["event"] == "block"
    ]


def test_step_times_are_positive_and_add_up_to_the_time_of_their_block(tiny_run):
    for block in tiny_run.only("result")["blocks"]:
        assert min(block["step_ms"]) > 0
        assert 0.9 * block["wall_ms"] <= sum(block["step_ms"]) <= block["wall_ms"]


def test_the_result_says_what_was_asked_and_what_was_run(tiny_run):
    result = tiny_run.only("result")
    assert result["asked"]["precision"] == "auto"
    assert result["asked"]["steps_per_epoch"] == 6
    assert result["actual"]["precision"] == "fp32" or torch.cuda.is_available()
    assert result["actual"]["seed"] == 7
    assert result["actual"]["threads"] == 1
    assert result["parameters"] == 25_557_032
    assert result["warmup"]["settled"] is None, "three steps cannot show a trend"
    assert result["optimizer"] in ("fused", "foreach", "single-tensor")
    assert result["actual"]["compile"] is None
    assert result["actual"]["gpus"] == 1


def test_the_first_step_and_the_learning_stay_out_of_the_timed_part(tiny_run):
    result = tiny_run.only("result")
    assert result["first_step"]["compile_seconds"] is None
    assert result["first_step"]["seconds"] > 0
    assert len(result["sanity"]["losses"]) == 4
    assert result["duration_seconds"] < sum(block["wall_ms"] for block in result["blocks"]) / 1000 + 1


@no_gpu
def test_a_run_without_a_gpu_says_cpu_and_names_no_gpu(tiny_run):
    result, environment = tiny_run.only("result"), tiny_run.only("environment")
    assert result["device"] == {"backend": "cpu", "name": None}
    assert result["clock"] == "monotonic"
    assert result["peak_memory_bytes"] is None
    assert environment["gpu"] is None


def test_sizes_for_a_cpu_hold_on_a_cpu_alone():
    asked = arguments.parse(["--batch-size", "256", "--on-cpu", "batch-size=8,image-size=64"])
    assert (asked.batch_size, asked.image_size) == (256, 224)
    small = asked.for_cpu()
    assert (small.batch_size, small.image_size, small.steps_per_epoch) == (8, 64, 200)


def test_wrong_sizes_for_a_cpu_are_reported_like_all_others():
    with pytest.raises(Fault) as refused:
        arguments.parse(["--on-cpu", "batch-size=0,colour=red", "--gpus", "none", "--inject-slowdown", "fast"])
    assert [fault.split(":")[0] for fault in refused.value.faults] == [
        "--gpus",
        "--inject-slowdown",
        "--on-cpu",
        "--on-cpu",
    ]


@no_gpu
def test_without_a_gpu_and_without_leave_the_program_refuses(run):
    done = run("resnet50")
    assert done.code == 3
    assert done.only("error")["kind"] == "no-gpu"
    assert "result" not in [event["event"] for event in done.events()]


def test_all_wrong_arguments_are_reported_at_once(run):
    done = run("resnet50", "--batch-size", "0", "--precision", "int4", "--image-size", "big", "--colour", "red")
    assert done.code == 2
    assert [fault.split(":")[0] for fault in done.only("error")["faults"]] == [
        "--colour",
        "red",
        "--batch-size",
        "--image-size",
        "--precision",
    ]


def test_the_compatible_mode_ends_with_the_line_of_the_reference(compatible_run):
    done = compatible_run
    assert done.code == 0
    last = json.loads(done.lines[-1])
    assert list(last) == ["radix_metrics"]
    metrics = last["radix_metrics"]
    assert list(metrics) == [
        "images_per_second",
        "total_images",
        "elapsed_seconds",
        "lr",
        "batch_size",
        "epochs",
        "steps_per_epoch",
    ]
    assert (metrics["total_images"], metrics["lr"], metrics["batch_size"], metrics["epochs"]) == (8, 0.1, 2, 2)
    assert metrics["images_per_second"] == pytest.approx(8 / metrics["elapsed_seconds"], rel=0.01)
    assert done.lines[-2].startswith("Throughput: ")


def test_the_compatible_mode_keeps_torchs_own_flags(compatible_run):
    assert json.loads(compatible_run.lines[2])["flags"] == precisions.flags()


@no_gpu
def test_the_compatible_mode_ends_with_1_without_a_gpu(run):
    assert run("resnet50", "--compatible").code == 1


def test_the_compatible_mode_refuses_flags_that_its_protocol_fixes(run):
    done = run("resnet50", "--compatible", "--precision", "bf16", "--blocks", "6", "--compile", "--gpus", "2")
    assert len(done.only("error")["faults"]) == 4


@pytest.mark.parametrize(("name", "allowed"), [("fp32", False), ("tf32", True)])
def test_fp32_uses_tf32_nowhere_and_tf32_uses_it_everywhere(name, allowed):
    before = precisions.flags()
    try:
        precisions.apply(precisions.Precision(name, None, 1.0))
        assert precisions.flags()["matmul_allow_tf32"] is allowed
        assert precisions.flags()["cudnn_allow_tf32"] is allowed
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before["matmul_allow_tf32"]
        torch.backends.cudnn.allow_tf32 = before["cudnn_allow_tf32"]
        torch.backends.cudnn.benchmark = before["cudnn_benchmark"]


@pytest.mark.parametrize("name", ["fp16", "tf32"])
def test_a_precision_that_the_device_lacks_is_refused(name):
    with pytest.raises(Fault, match=name) as refused:
        precisions.choose(name, CPU)
    assert refused.value.kind == "unsupported"


def test_auto_is_fp32_on_a_cpu():
    assert precisions.choose("auto", CPU).name == "fp32"


def test_the_batch_is_halved_until_it_fits(capsys):
    tried = []

    @memory.or_out_of_memory
    def attempt(batch_size):
        tried.append(batch_size)
        if batch_size > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return batch_size

    assert memory.with_smaller_batches(15, attempt) == 3
    assert tried == [15, 7, 3]
    halved = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [(event["from"], event["to"]) for event in halved] == [(15, 7), (7, 3)]


def test_one_image_that_does_not_fit_is_out_of_memory(capsys):
    @memory.or_out_of_memory
    def attempt(_):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with pytest.raises(Fault) as ended:
        memory.with_smaller_batches(2, attempt)
    assert ended.value.kind == "out-of-memory"


def test_any_other_error_is_not_taken_for_a_lack_of_memory():
    @memory.or_out_of_memory
    def attempt(_):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        memory.with_smaller_batches(2, attempt)


def test_an_interrupted_run_says_so(zipped):
    process = subprocess.Popen(
        [sys.executable, str(zipped), "resnet50", *TINY, "--steps-per-epoch", "100000", "--sanity-steps", "0"],
        stdout=subprocess.PIPE,
        env={**os.environ, **ENVIRONMENT},
        universal_newlines=True,
    )
    deadline = time.monotonic() + 60
    try:
        while '"warmup"' not in process.stdout.readline():
            assert time.monotonic() < deadline, "the warm-up never began"
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    assert json.loads(rest.splitlines()[-1])["kind"] == "interrupted"
    assert process.returncode == 8


def test_more_threads_than_cpus_are_used_when_they_are_asked_for(inference_run):
    assert inference_run.only("result")["actual"]["threads"] == 3


def test_inference_has_no_loss(inference_run):
    assert {block["loss_last"] for block in inference_run.only("result")["blocks"]} == {None}


def test_a_trend_in_the_warm_up_is_seen():
    assert settled([11.0] * 4) is None
    assert settled([500, 100, 100, 100, 100, 100, 100, 100, 100, 100.5]) is True
    assert settled([100, 100, 100, 100, 100, 97, 97, 97, 97, 97]) is False


def test_what_is_not_a_number_becomes_null():
    assert line({"a": [float("nan"), 1.5], "b": float("inf")}) == '{"a":[null,1.5],"b":null}'


def test_waiting_threads_do_not_spin_unless_the_host_says_so(inference_run, tiny_run):
    assert tiny_run.only("environment")["flags"]["GOMP_SPINCOUNT"] == "0"
    assert inference_run.only("environment")["flags"]["GOMP_SPINCOUNT"] == "5"
