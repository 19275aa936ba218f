import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import torch
from conftest import ENVIRONMENT, TINY, Done
from gpu_actions_host import launching

no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here, and its ranks are another matter")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SHORT = [*TINY, "--gpus", "2", "--steps-per-epoch", "5", "--warmup-steps", "1", "--sanity-steps", "1"]


@pytest.fixture(scope="module")
def two_ranks(run, tmp_path_factory):
    """Two ranks on a host without NumPy, which PyTorch does not require."""
    folder = tmp_path_factory.mktemp("no-numpy")
    (folder / "numpy.py").write_text("raise ModuleNotFoundError('no NumPy here')\n")
    return run("resnet50", *SHORT, PYTHONPATH=str(folder))


@no_gpu
def test_two_ranks_give_one_result(two_ranks):
    assert two_ranks.code == 0
    result = two_ranks.only("result")
    assert result["actual"]["gpus"] == 2
    assert [rank["rank"] for rank in result["ranks"]] == [0, 1]
    assert [len(rank["blocks"]) for rank in result["ranks"]] == [5, 5]


@no_gpu
def test_a_step_of_the_machine_is_that_of_its_slowest_rank(two_ranks):
    result = two_ranks.only("result")
    each = [[block["step_ms"] for block in rank["blocks"]] for rank in result["ranks"]]
    slowest = [[max(pair) for pair in zip(*blocks)] for blocks in zip(*each)]
    assert [block["step_ms"] for block in result["blocks"]] == slowest


@no_gpu
def test_all_ranks_hold_the_same_parameters_after_training(two_ranks):
    sums = {rank["parameters_sha256"] for rank in two_ranks.only("result")["ranks"]}
    assert len(sums) == 1
    assert all(len(found) == 64 for found in sums)
    losses = [rank["blocks"][0]["loss_first"] for rank in two_ranks.only("result")["ranks"]]
    assert losses[0] != losses[1], "each has data of its own"


@no_gpu
def test_the_first_rank_measures_alone_before_the_others_join(two_ranks):
    events = [event["event"] for event in two_ranks.events()]
    assert events.index("alone") < events.index("block")
    assert events.count("plan") == 2, "the second starts the count of the blocks over"
    assert len(two_ranks.only("result")["alone"]["blocks"]) == 5


def children(pid):
    """Process ids of the children of a process, by their rank."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            for entry in pathlib.Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
                if entry.startswith(b"RANK="):
                    found[int(entry[5:])] = int(child)
    return found


@no_gpu
@linux
def test_the_death_of_a_rank_ends_all_with_the_reason(zipped):
    process = subprocess.Popen(
        [sys.executable, str(zipped), "resnet50", *SHORT, "--steps-per-epoch", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **ENVIRONMENT},
        universal_newlines=True,
    )
    deadline = time.monotonic() + 90
    try:
        lines = []
        while not lines or '"alone"' not in lines[-1]:
            assert time.monotonic() < deadline, "the ranks never began"
            lines.append(process.stdout.readline())
        ranks = children(process.pid)
        assert sorted(ranks) == [0, 1]
        os.kill(ranks[1], signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    error = Done(process.returncode, [*lines, *rest.splitlines()]).only("error")
    assert (process.returncode, error["kind"]) == (10, "rank")
    assert error["message"].startswith("Rank 1 of 2: killed by SIGKILL")
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in ranks.values())


def test_the_first_to_report_is_the_cause(tmp_path, monkeypatch):
    for rank, kind, message in [
        (1, "device", "an illegal memory access"),
        (0, "internal", "connection closed by peer"),
    ]:
        monkeypatch.setenv("RANK", str(rank))
        launching.leave_report(str(tmp_path), kind, message, [])
    (tmp_path / "rank-7.json").write_text("torn")
    failed = launching.first_failure({0: 1, 1: 7}, str(tmp_path))
    assert (failed.rank, failed.kind) == (1, "device")


def test_a_rank_that_was_killed_is_the_cause_whatever_its_peers_report(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    launching.leave_report(str(tmp_path), "internal", "connection closed by peer", [])
    codes = {0: 1, 1: -signal.SIGKILL, 2: -signal.SIGTERM}
    failed = launching.first_failure(codes, str(tmp_path))
    assert (failed.rank, failed.kind) == (1, "rank")
    assert "SIGKILL" in failed.message


def test_a_rank_that_ends_without_a_word_is_named_with_its_exit_code(tmp_path):
    assert "exit code 3" in launching.first_failure({1: 3}, str(tmp_path)).message
