"""Parts of the agent that need no process."""

import json
import math
import threading

import gpu_actions_agent as agent
import pytest


def configuration(**more):
    path = more.pop("path", None)
    made, faults = agent.read_configuration(path, "/opt/programs.pyz")
    assert [fault.split(":")[0] for fault in faults] == ["apiBase", "clusterId"]
    return made._replace(python="python", **more)


def command(job, gpu_count=1, **more):
    whole = {"job_id": "j1", "job_kind": "resnet50_benchmark", "params": {"epochs": 3, "batch_size": 256}, **job}
    return agent.job_command(whole, configuration(**more), gpu_count)[0].words


def test_the_container_command_is_the_references():
    words = command({}, execution="container")
    assert words[:4] == ["docker", "run", "--rm", "--name"]
    assert " ".join(words[5:]) == (
        "-w /app --gpus all iangreen74/radix-resnet50-benchmark:latest"
        " python train_resnet50.py --epochs 3 --batch-size 256"
    )


def test_a_container_gets_gpus_only_where_there_are_any():
    assert "--gpus" not in command({}, gpu_count=0, execution="container")


def test_an_image_cannot_be_a_flag():
    with pytest.raises(agent.JobRefused):
        command({"image": "--privileged"}, execution="container")


def test_several_gpus_run_under_torchrun_where_the_program_trains_distributed():
    job = {"orchestration": {"num_gpus": 4, "launcher": "torchrun"}}
    words = command(job, gpu_count=4, distributed=True)
    assert " ".join(words).startswith(
        "python -m torch.distributed.run --standalone --nproc_per_node=4 /opt/programs.pyz resnet50"
    )
    words = command(job, gpu_count=4, distributed=True, execution="container")
    assert "torchrun --standalone --nproc_per_node=4 train_resnet50.py" in " ".join(words)


def test_more_gpus_than_there_are_is_refused():
    with pytest.raises(agent.JobRefused, match="this machine has 1"):
        command({"orchestration": {"num_gpus": 2}}, gpu_count=1, distributed=True)


def test_sizes_that_are_missing_are_the_references():
    assert " ".join(command({"params": None})[2:]) == "resnet50 --compatible --epochs 1 --batch-size 64"


@pytest.mark.parametrize(
    ("lines", "throughput"),
    [
        (["Throughput: 343.2 images/sec"], 343.2),
        (["12 images/sec", "rate=(99.5 Images/Second)"], 99.5),
        (["343.2images/sec"], 343.2),
        (["fast images/sec"], None),
        (["images/sec"], None),
        (["0 images/sec", "nan images/sec", "inf images/sec"], None),
        (["-3 images/sec"], None),
        ([json.dumps({"radix_metrics": {"images_per_second": 12.5}})], 12.5),
        (["10 images/sec", json.dumps({"radix_metrics": {"images_per_second": 12.5}})], 10),
        (['{"radix_metrics": 3}', "{", "{}", "[]"], None),
        ([], None),
    ],
)
def test_throughput_is_the_last_figure_before_images_per_second(lines, throughput):
    figures = agent.Figures()
    for line in lines:
        figures.hear(line)
    assert figures.throughput == throughput


@pytest.mark.parametrize("value", [None, "", "x", math.nan, math.inf, 0, -1, [], {}])
def test_what_is_no_figure_is_none(value):
    assert agent.figure(value) is None


@pytest.mark.parametrize(("value", "number"), [(3, 3), ("3", 3), (3.0, 3), (3.5, None), (True, None), (0, None)])
def test_whole_numbers_come_in_several_shapes(value, number):
    assert agent.whole(value) == number


def test_secrets_are_scrubbed_from_log_lines_in_every_shape(capsys):
    log = agent.Log()
    log.secret('sec"ret\\token')
    log("event", words='before sec"ret\\token after', nested={"deep": ['sec"ret\\token']})
    printed = capsys.readouterr().out
    assert printed.count("***") == 2
    assert "ret" not in printed


def test_private_files_are_private_and_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    agent.write_private(str(path), "one")
    agent.write_private(str(path), "two")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("two", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_a_journal_that_cannot_be_read_does_not_stop_the_agent(tmp_path, capsys):
    (tmp_path / "x.json").write_text("{")
    journal = agent.Journal(str(tmp_path), agent.Log())
    assert journal.entries == {}
    assert "journal-unreadable" in capsys.readouterr().out


def test_the_journal_forgets_the_oldest_reported_jobs_only(tmp_path, monkeypatch):
    monkeypatch.setattr(agent.Journal, "KEPT", 2)
    journal = agent.Journal(str(tmp_path), agent.Log())
    journal.put({"job_id": "kept", "state": "finished", "accepted_at": 0})
    for number in range(5):
        journal.put({"job_id": f"j{number}", "state": "reported", "accepted_at": number + 1})
    assert sorted(agent.Journal(str(tmp_path), agent.Log()).entries) == ["j3", "j4", "kept"]


def test_processes_that_a_job_leaves_behind_are_ended(tmp_path):
    script = "sleep 60 & echo $!"
    made = agent.Command(["sh", "-c", script], {"PATH": "/usr/bin:/bin"}, None)
    pids = []
    ran = agent.run_command(made, str(tmp_path), 20, threading.Event(), pids.append)
    assert (ran.how, ran.exit_code) == ("exited", 0)
    assert not agent.group_lives(pids[0])
