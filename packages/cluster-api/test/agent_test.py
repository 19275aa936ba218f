"""The agent as a process of its own, against a server that misbehaves."""

import ast
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from cluster_server import CLUSTER, ONE_TIME, Server

AGENT = pathlib.Path(__file__).parent.parent / "agent" / "gpu_actions_agent.py"

# Stands for the benchmark programs: says that it ran, then does what FAKE_* tell it.
PROGRAM = """
import json, os, sys, time
with open(os.environ["FAKE_RUNS"], "a") as runs:
    runs.write(json.dumps(sys.argv[1:]) + "\\n")
print("args", " ".join(sys.argv[1:]), flush=True)
sys.stderr.write("é" * int(os.environ.get("FAKE_NOISE", "0")))
until = os.environ.get("FAKE_UNTIL")
while until and not os.path.exists(until):
    time.sleep(0.02)
code = int(os.environ.get("FAKE_CODE", "0"))
if code:
    sys.stderr.write("no such luck\\n")
    sys.exit(code)
print("warming up: 9.5 images/sec")
print("Throughput: 343.21 images/sec")
print(json.dumps({"radix_metrics": {"images_per_second": 343.213}}))
"""


class Place:
    """One machine with an agent's files."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server
        self.state, self.log = folder / "state", folder / "agent.log"
        self.runs, self.go = folder / "runs", folder / "go"
        self.token = folder / "token"
        self.program = folder / "programs.py"
        self.program.write_text(PROGRAM)
        self.token.write_text(ONE_TIME + "\n")
        self.token.chmod(0o600)
        self.processes = []

    def configure(self, **more):
        path = self.folder / "agent.json"
        quick = {"pollSeconds": 0.05, "heartbeatSeconds": 0.1, "retrySeconds": 0.02, "requestSeconds": 1}
        given = {"apiBase": self.server.base, "clusterId": "c 1/é", "tenantId": "tenant-1", **quick}
        path.write_text(json.dumps({**given, "oneTimeToken": {"file": str(self.token)}, **more}))
        return path

    def command(self, *words, **more):
        path = self.configure(**more)
        return [sys.executable, AGENT, "--config", path, "--state", self.state, "--program", self.program, *words]

    def environment(self, **more):
        return {**os.environ, "FAKE_RUNS": str(self.runs), **more}

    def start(self, *words, environment=None, **more):
        with open(self.log, "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                self.command(*words, **more),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(**(environment or {})),
            )
        self.processes.append(process)
        return process

    def ran(self):
        return [json.loads(line) for line in self.runs.read_text().splitlines()] if self.runs.exists() else []

    def text(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.02)


@pytest.fixture
def server():
    made = Server()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def place(tmp_path, server):
    made = Place(tmp_path, server)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.terminate()
            process.wait(15)
    assert ONE_TIME not in made.text()
    assert CLUSTER not in made.text()


def test_the_agent_is_python_3_8():
    ast.parse(AGENT.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_a_job_is_run_with_its_sizes_and_its_figures_are_reported(server, place):
    server.add_job()
    place.start(benchmark={"allowCpu": True, "stepsPerEpoch": 3, "imageSize": 64, "threads": 1})
    report = server.report_of("job-1")
    assert [" ".join(words) for words in place.ran()] == [
        "resnet50 --compatible --epochs 2 --batch-size 16 --steps-per-epoch 3 --allow-cpu --image-size 64 --threads 1"
    ]
    assert report["status"] == "succeeded"
    assert report["tenant_id"] == "tenant-1"
    assert report["error_message"] is None
    assert report["metrics"]["throughput_images_per_sec"] == 343.21
    assert report["metrics"]["exit_code"] == 0
    assert report["metrics"]["duration_seconds"] > 0
    assert (report["metrics"]["epochs"], report["metrics"]["batch_size"]) == (2, 16)
    assert "343.21 images/sec" in report["output_payload"]["stdout"]


def test_every_heartbeat_has_the_contracts_fields(server, place):
    place.start()
    server.wait(lambda: len(server.heartbeats) >= 2)
    beat = server.heartbeats[0]
    assert beat["status"] == "active"
    assert beat["agent_version"] == subprocess.check_output([sys.executable, AGENT, "--version"], text=True).strip()
    assert set(beat["capabilities"]) == {"cpu_count", "memory_gb", "gpus", "gpu_count"}


def test_heartbeats_go_on_while_a_job_runs(server, place):
    server.add_job()
    place.start(environment={"FAKE_UNTIL": str(place.go)})
    place.wait(place.ran)
    before = len(server.heartbeats)
    server.wait(lambda: len(server.heartbeats) >= before + 3)
    assert not server.reports
    place.go.touch()
    assert server.report_of("job-1")["status"] == "succeeded"


def test_the_list_of_gpus_is_read_anew(server, place):
    tool = place.folder / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    place.start(environment={"PATH": f"{tool.parent}:{os.environ['PATH']}"})
    server.wait(lambda: server.heartbeats)
    tool.write_text("#!/bin/sh\necho 'NVIDIA A10G, 23028 MiB'\n")
    tool.chmod(0o755)
    wanted = [{"name": "NVIDIA A10G", "memory": "23028 MiB"}]
    server.wait(lambda: server.heartbeats[-1]["capabilities"]["gpus"] == wanted)
    assert server.heartbeats[-1]["capabilities"]["gpu_count"] == 1


def test_the_one_time_token_is_exchanged_once_stored_privately_and_destroyed(server, place):
    place.start()
    server.wait(lambda: len(server.heartbeats) >= 2)
    place.wait(lambda: not place.token.exists())
    (stored,) = place.state.glob("*/cluster-token")
    assert stored.read_text() == CLUSTER
    assert stored.stat().st_mode & 0o777 == 0o600
    assert server.count("exchange") == 1


def test_a_stored_token_wins_over_a_spent_one_time_token(server, place):
    first = place.start()
    server.wait(lambda: server.heartbeats)
    first.terminate()
    assert first.wait(15) == 0
    place.token.write_text(ONE_TIME)
    beats = len(server.heartbeats)
    place.start()
    server.wait(lambda: len(server.heartbeats) > beats)
    assert server.count("exchange") == 1
    place.wait(lambda: not place.token.exists())


def test_a_spent_one_time_token_ends_the_agent_at_once_and_for_good(server, place):
    server.one_time_spent = True
    process = place.start("--keep-running")
    assert process.wait(20) == 3
    assert "was used before" in place.text()
    assert server.count("exchange") == 1


def test_a_new_one_time_token_heals_a_refused_cluster_token(server, place):
    place.start()
    server.wait(lambda: server.heartbeats)
    place.wait(lambda: not place.token.exists())
    with server.changed:
        server.cluster_tokens.clear()
    (spent,) = [path for path in place.state.iterdir() if path.is_dir()]
    assert not (spent / "spent").exists()
    server.one_time_spent = False
    place.token.write_text(ONE_TIME)
    beats = len(server.heartbeats)
    server.wait(lambda: len(server.heartbeats) > beats)
    assert server.count("exchange") == 2


def test_a_token_that_stays_refused_ends_the_agent_after_its_patience(server, place):
    process = place.start(refusedSeconds=0.5)
    server.wait(lambda: server.heartbeats)
    with server.changed:
        server.cluster_tokens.clear()
    assert process.wait(20) == 3


def test_an_agent_whose_cluster_was_deleted_ends_after_its_patience(server, place):
    process = place.start(refusedSeconds=0.3)
    server.wait(lambda: server.heartbeats)
    server.deleted = True
    assert process.wait(20) == 3
    assert "cluster-gone" in place.text()


def test_the_token_comes_through_standard_input(server, place):
    place.token.unlink()
    path = place.configure(oneTimeToken=None)
    with open(place.log, "a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, AGENT, "--config", path, "--state", place.state, "--program", place.program]
            + ["--token-stdin"],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )
    place.processes.append(process)
    process.stdin.write(f"{ONE_TIME}\n".encode())
    process.stdin.close()
    server.wait(lambda: server.heartbeats)


def test_the_token_comes_from_a_parameter_which_is_deleted_after_use(server, place):
    folder = place.folder / "bin"
    folder.mkdir()
    tool = folder / "aws"
    tool.write_text(
        f'#!/bin/sh\necho "$*" >>{place.folder}/aws-calls\ncase "$*" in *get-parameter*) echo {ONE_TIME} ;; esac\n'
    )
    tool.chmod(0o755)
    source = {"parameter": "/gpu-actions/l1/token", "region": "us-west-2"}
    place.start(oneTimeToken=source, environment={"PATH": f"{folder}:{os.environ['PATH']}"})
    server.wait(lambda: server.heartbeats)
    calls = place.folder / "aws-calls"
    place.wait(lambda: "delete-parameter" in calls.read_text())
    assert calls.read_text().splitlines()[:2] == [
        "ssm get-parameter --name /gpu-actions/l1/token --with-decryption --query Parameter.Value --output text"
        " --region us-west-2",
        "ssm delete-parameter --name /gpu-actions/l1/token --region us-west-2",
    ]


@pytest.mark.parametrize("trouble", [["cut", "cut"], [503, 500, 502], [429], ["slow"], ["lost"]], ids=str)
def test_no_job_is_lost_and_none_runs_twice_when_completion_meets_trouble(server, place, trouble):
    server.add_job()
    server.trouble["complete"] = list(trouble)
    place.start()
    assert server.report_of("job-1")["status"] == "succeeded"
    server.add_job("job-2")
    assert server.report_of("job-2")["status"] == "succeeded"
    assert len(place.ran()) == 2


@pytest.mark.parametrize("kind", ["exchange", "heartbeat", "poll"])
def test_trouble_before_a_job_is_tried_again(server, place, kind):
    server.add_job()
    server.trouble[kind] = ["cut", 503, 429]
    place.start()
    assert server.report_of("job-1")["status"] == "succeeded"
    assert len(place.ran()) == 1


def test_a_server_that_is_gone_for_a_while_gets_the_result_when_it_is_back(server, place):
    server.add_job()
    place.start(environment={"FAKE_UNTIL": str(place.go)})
    place.wait(place.ran)
    server.stop()
    place.go.touch()
    place.wait(lambda: "job-finished" in place.text())
    place.wait(lambda: "request-failed" in place.text())
    server.start()
    assert server.report_of("job-1")["status"] == "succeeded"
    assert len(place.ran()) == 1


def test_a_result_survives_a_kill_of_the_agent(server, place):
    server.add_job()
    server.trouble["complete"] = [503] * 1000
    process = place.start()
    server.wait(lambda: server.count("complete") >= 2)
    process.kill()
    process.wait()
    server.trouble.clear()
    place.start()
    assert server.report_of("job-1")["metrics"]["throughput_images_per_sec"] == 343.21
    assert len(place.ran()) == 1


def test_a_job_whose_agent_was_killed_is_ended_reported_and_not_run_again(server, place):
    server.redelivers = True
    server.add_job()
    process = place.start(environment={"FAKE_UNTIL": str(place.go)})
    place.wait(place.ran)
    (entry,) = place.state.glob("*/jobs/*.json")
    place.wait(lambda: json.loads(entry.read_text()).get("pid"))
    pid = json.loads(entry.read_text())["pid"]
    process.kill()
    process.wait()
    place.start()
    report = server.report_of("job-1")
    assert report["status"] == "failed"
    assert "not run a second time" in report["error_message"]
    place.wait(lambda: not pathlib.Path(f"/proc/{pid}").exists() or "Z" in state_of(pid))
    assert len(place.ran()) == 1


def state_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_an_agent_that_dies_is_started_again(server, place):
    place.start("--keep-running")
    server.wait(lambda: server.heartbeats)
    (child,) = children_of(place.processes[-1].pid)
    os.kill(child, signal.SIGKILL)
    beats = len(server.heartbeats)
    server.wait(lambda: len(server.heartbeats) > beats + 1)
    assert server.count("exchange") == 1


def children_of(pid):
    found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in found.split()]


def test_a_job_that_is_offered_again_is_reported_again_and_not_run_again(server, place):
    server.redelivers = True
    server.add_job()
    place.start()
    server.report_of("job-1")
    with server.changed:
        server.reports.clear()
    assert server.report_of("job-1")["status"] == "succeeded"
    assert len(place.ran()) == 1


@pytest.mark.parametrize("code", [404, 409])
def test_a_result_that_nobody_wants_does_not_hold_up_the_next_job(server, place, code):
    server.add_job()
    server.trouble["complete"] = [code]
    place.start()
    server.add_job("job-2")
    server.report_of("job-2")
    assert "job-1" not in server.reports


def test_asked_to_end_the_agent_ends_its_job_and_reports_it(server, place):
    server.add_job()
    process = place.start("--keep-running", environment={"FAKE_UNTIL": str(place.go)})
    place.wait(place.ran)
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    report = server.report_of("job-1")
    assert report["status"] == "failed"
    assert "asked to end" in report["error_message"]


def test_a_job_that_runs_too_long_is_ended(server, place):
    server.add_job()
    place.start(jobSeconds=0.5, environment={"FAKE_UNTIL": str(place.go)})
    report = server.report_of("job-1")
    assert (report["status"], report["metrics"]) == ("failed", {})
    assert "longer than 0.5 seconds" in report["error_message"]


DOCKER = """#!/bin/sh
echo "$*" >>{calls}
[ "$1" = run ] || exit 0
echo '250.5 images/sec'
[ -z "$FAKE_UNTIL" ] || exec sleep 60
"""


@pytest.mark.parametrize("stuck", [False, True], ids=["ends", "is stuck"])
def test_a_job_runs_in_the_configured_image_and_its_container_is_removed_when_it_must_end(server, place, stuck):
    tool, calls = place.folder / "bin" / "docker", place.folder / "docker-calls"
    tool.parent.mkdir()
    tool.write_text(DOCKER.format(calls=calls))
    tool.chmod(0o755)
    server.add_job()
    path = {"PATH": f"{tool.parent}:{os.environ['PATH']}", "FAKE_UNTIL": "never" if stuck else ""}
    place.start(execution="container", image="example/resnet50:1", jobSeconds=0.5 if stuck else 60, environment=path)
    report = server.report_of("job-1")
    run, *after = calls.read_text().splitlines()
    assert run.startswith("run --rm --name gpu-actions-")
    assert run.endswith("example/resnet50:1 python train_resnet50.py --epochs 2 --batch-size 16")
    if stuck:
        assert report["status"] == "failed"
        assert after == [f"rm --force {run.split()[3]}"]
    else:
        assert report["metrics"]["throughput_images_per_sec"] == 250.5
        assert after == []


def test_a_program_that_fails_is_reported_with_its_words_and_bounded_output(server, place):
    server.add_job()
    place.start(environment={"FAKE_CODE": "7", "FAKE_NOISE": "9000"})
    report = server.report_of("job-1")
    assert (report["status"], report["metrics"]["exit_code"]) == ("failed", 7)
    assert report["metrics"]["throughput_images_per_sec"] is None
    assert report["error_message"].startswith("Exit code 7: é")
    assert len(report["output_payload"]["stderr"]) == 2000
    assert report["output_payload"]["stderr"].endswith("no such luck\n")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"job_kind": "shell"}, "no job of kind 'shell'"),
        ({"params": {"epochs": 0, "batch_size": "many"}}, "epochs: must be a whole number"),
        ({"orchestration": {"num_gpus": 4, "launcher": "torchrun"}}, "4 GPUs were asked for"),
    ],
    ids=["kind", "sizes", "gpus"],
)
def test_a_job_that_this_agent_does_not_run_is_refused_with_words(server, place, more, words):
    server.add_job(**more)
    place.start()
    report = server.report_of("job-1")
    assert report["status"] == "failed"
    assert words in report["error_message"]
    assert place.ran() == []


def test_two_agents_do_not_serve_one_cluster_on_one_machine(server, place):
    place.start()
    server.wait(lambda: server.heartbeats)
    second = place.start()
    assert second.wait(20) == 4


def test_no_token_is_in_arguments_environment_or_output_of_a_job(server, place):
    server.add_job()
    place.start(environment={"FAKE_UNTIL": str(place.go), "RADIX_TENANT_ID": "tenant-2"})
    place.wait(place.ran)
    (entry,) = place.state.glob("*/jobs/*.json")
    place.wait(lambda: json.loads(entry.read_text()).get("pid"))
    seen = b""
    for pid in (place.processes[-1].pid, json.loads(entry.read_text())["pid"]):
        for part in ("cmdline", "environ"):
            seen += pathlib.Path(f"/proc/{pid}/{part}").read_bytes()
    assert b"gpu_actions_agent" in seen
    assert ONE_TIME.encode() not in seen
    assert CLUSTER.encode() not in seen
    place.go.touch()
    assert server.report_of("job-1")["tenant_id"] == "tenant-2"


def test_check_says_all_that_stands_in_the_way(server, place):
    done = subprocess.run(place.command("--check"), stdout=subprocess.PIPE, check=False, timeout=30)
    assert (done.returncode, json.loads(done.stdout)["faults"]) == (0, [])
    place.program.unlink()
    server.stop()
    done = subprocess.run(place.command("--check", python="no-python"), stdout=subprocess.PIPE, check=False, timeout=30)
    faults = json.loads(done.stdout)["faults"]
    assert done.returncode == 2
    assert [fault.split(":")[0] for fault in faults] == [
        "python",
        "program",
        "the cluster API cannot be reached from this machine",
    ]


def test_every_fault_of_the_configuration_is_named_at_once(place):
    path = place.configure(apiBase="ftp://x", clusterId="", pollSeconds=-1, execution="slurm", benchmark={"threads": 0})
    command = [sys.executable, AGENT, "--config", path, "--state", place.state]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False, timeout=30)
    faults = json.loads(done.stdout)["faults"]
    assert done.returncode == 2
    names = sorted(fault.split(":")[0] for fault in faults)
    assert names == ["apiBase", "benchmark.threads", "clusterId", "execution", "pollSeconds", "program"]
