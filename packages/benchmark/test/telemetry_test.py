"""Telemetry as a process, and the figures that it makes."""

import csv
import datetime
import json
import os
import signal
import subprocess
import sys
import time

import fake_nvidia_smi
import pytest
from gpu_actions_host import host_load, kernel_log, telemetry_csv, telemetry_summary
from gpu_actions_host.host_load import Look, Ticks
from monitors_test import of

needs_proc = pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="no /proc here")


class Served:
    """A telemetry process that takes orders, as resnet50 starts it."""

    def __init__(self, zipped, *more, **environment):
        self.process = subprocess.Popen(
            [sys.executable, str(zipped), "telemetry", "--served", *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        )
        self.events = []

    def ask(self, order):
        self.process.stdin.write(order.encode() + b"\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            told = json.loads(line)
            if "reply" in told:
                assert told["reply"] == order
                return told
            self.events.append(told)
        raise AssertionError(f"no answer to {order}")

    def until(self, order, fits, seconds=30, pause=0.05):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            told = self.ask(order)
            if fits(told):
                return told
            time.sleep(pause)
        raise AssertionError(f"{order} never told what was waited for")

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


@pytest.fixture
def served(zipped):
    opened = []

    def start(*more, **environment):
        opened.append(Served(zipped, *more, **environment))
        return opened[-1]

    yield start
    for one in opened:
        if one.process.poll() is None:
            one.close()


def looked(times):
    """A predicate that is true once so many different looks were seen."""
    seen = set()

    def fits(told):
        if told["look"] is not None:
            seen.add(told["look"]["at"])
        return len(seen) >= times

    return fits


@needs_proc
def test_a_host_is_looked_at_once_a_second_at_a_cost_of_less_than_half_a_percent_of_a_core(served, tmp_path):
    telemetry = served("--csv", str(tmp_path / "telemetry.csv"))
    telemetry.ask("before")
    telemetry.ask("mark")
    look = telemetry.until("look", looked(5), pause=1)["look"]
    telemetry.ask("unmark")
    summary = telemetry.ask("after")["telemetry"]
    assert 0 <= look["cpu_percent"] <= 100
    assert summary["samples"] >= 4
    assert summary["seconds"] > 4
    print("telemetry's own share of a core:", summary["own_cpu_share"])
    assert 0 < summary["own_cpu_share"] < 0.005
    assert summary["memory_used_bytes"]["max"] > 0
    assert summary["csv_truncated"] is False
    with open(tmp_path / "telemetry.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == telemetry_csv.HEADER
    assert {row["timed"] for row in rows} >= {"1"}
    times = [datetime.datetime.fromisoformat(row["at"].replace("Z", "+00:00")) for row in rows]
    assert times == sorted(times)


def test_what_is_not_there_is_null(served):
    telemetry = served(PATH="/no/such/folder")
    telemetry.ask("before")
    telemetry.ask("mark")
    telemetry.ask("unmark")
    summary = telemetry.ask("after")["telemetry"]
    if summary["source"] is None:
        assert (summary["gpus"], summary["energy_joules"], summary["xids"]) == ([], None, None)
    assert telemetry.ask("after")["telemetry"]["samples"] == summary["samples"]


def test_gpus_are_read_through_one_long_lived_nvidia_smi(served, tmp_path):
    throttled = dict(of("595.80"), **{"clocks_event_reasons.active": "0x0000000000000040"})
    folder = fake_nvidia_smi.install(tmp_path, [throttled], apps=[1])
    telemetry = served(PATH=f"{folder}:{os.environ['PATH']}")
    telemetry.ask("before")
    telemetry.ask("mark")
    seen = looked(3)
    look = telemetry.until("look", lambda told: told["look"] and told["look"]["gpus"] and seen(told))["look"]
    telemetry.ask("unmark")
    summary = telemetry.ask("after")["telemetry"]
    if summary["source"] == "nvml":
        pytest.skip("a real NVIDIA GPU is here")
    assert look["gpus"][0]["power_watts"] == 144.97
    (gpu,) = summary["gpus"]
    assert gpu["power_watts"] == {"min": 144.97, "median": 144.97, "max": 144.97}
    assert gpu["throttle_reasons_seen"] == ["hardware_thermal"]
    assert gpu["throttled_microseconds"]["software_power_cap"] == 0
    assert gpu["throttled_microseconds"]["hardware_slowdown"] is None
    assert (gpu["energy_joules"], summary["energy_joules"]) == (None, None)
    # Process 1 is there, and none of ours.
    assert summary["foreign_gpu_processes"] == 1
    (alarm,) = [one for one in telemetry.events if one["event"] == "throttled"]
    assert (alarm["gpu"], alarm["reason"], alarm["microseconds"]) == (0, "hardware_thermal", None)


def test_while_it_rests_nothing_is_looked_at(served):
    telemetry = served()
    telemetry.until("look", looked(1))
    telemetry.ask("pause")
    last = telemetry.ask("look")["look"]["at"]
    time.sleep(1.5)
    assert telemetry.ask("look")["look"]["at"] == last
    telemetry.ask("resume")
    telemetry.until("look", lambda told: told["look"]["at"] != last)


def test_it_ends_with_whoever_started_it(served):
    telemetry = served()
    telemetry.ask("look")
    telemetry.close()
    assert telemetry.process.returncode == 0


@needs_proc
def test_nothing_of_it_is_left_when_a_run_is_killed(zipped, tmp_path):
    table = tmp_path / "left.csv"
    options = ["--image-size", "32", "--batch-size", "2", "--allow-cpu", "--steps-per-epoch", "100000"]
    run = subprocess.Popen(
        [sys.executable, str(zipped), "resnet50", *options, "--telemetry-csv", str(table)], stdout=subprocess.DEVNULL
    )
    wait_for(lambda: table.exists() and "left.csv" in commands())
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_for(lambda: "left.csv" not in commands())


def commands():
    found = (host_load.read(f"/proc/{pid}/cmdline") for pid in host_load.processes())
    return "\n".join(one or "" for one in found)


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_a_run_tells_what_telemetry_saw_and_cost(tiny_run):
    summary = tiny_run.only("result")["telemetry"]
    assert summary["interval_seconds"] == 1
    assert summary["seconds"] > 0
    assert len(summary["step_ms_without"]) == len(tiny_run.only("result")["blocks"][0]["step_ms"])
    assert isinstance(summary["overhead_percent"], float)


def test_a_run_without_telemetry_says_that_there_is_none(run):
    done = run("resnet50", "--image-size", "32", "--batch-size", "2", "--allow-cpu", "--steps-per-epoch", "1",
               "--sanity-steps", "0", "--telemetry", "off", "--mode", "inference")  # fmt: skip
    assert done.code == 0
    assert done.only("result")["telemetry"] is None
    assert [one for one in done.events() if one["event"] == "telemetry"] == []


def test_a_counter_that_was_set_back_gives_no_difference():
    assert telemetry_summary.difference(10, 13) == 3
    assert telemetry_summary.difference(10, 3) is None
    assert telemetry_summary.difference(None, 3) is None


def test_energy_is_that_of_all_gpus_or_none():
    gpus = [{"index": 0}, {"index": 1}]
    both = telemetry_summary.with_energy(gpus, {0: 1000, 1: 500}, {0: 3500, 1: 1500})
    assert [one["energy_joules"] for one in both] == [2.5, 1.0]
    assert telemetry_summary.energy(both) == 3.5
    one = telemetry_summary.with_energy(gpus, {0: 1000, 1: None}, {0: 3500, 1: 1500})
    assert telemetry_summary.energy(one) is None
    assert telemetry_summary.energy([]) is None


@pytest.mark.parametrize(
    ("users", "here", "count"),
    [([], [], 0), ([7], [7, 8], 0), ([9], [9], 1), ([9, 7], [7, 9], 1), ([9], [], None), (None, [], None)],
)
def test_processes_of_another_container_are_not_taken_for_foreign_ones(users, here, count):
    assert telemetry_summary.foreign_processes(users, {7, 8}, lambda pid: pid in here) == count


def look(busy, everything, ours):
    return Look(Ticks(busy, everything), ours, set())


@pytest.mark.parametrize(
    ("before", "after", "share"),
    [
        (look(0, 0, 0), look(1000, 2000, 1000), 0.0),
        (look(0, 0, 0), look(2000, 2000, 1000), 0.5),
        # The clocks of processes run ahead of the host's by a tick or two.
        (look(0, 0, 0), look(1000, 2000, 1003), 0.0),
        (look(0, 0, 0), look(50, 99, 0), None),
        (look(0, 0, None), look(1000, 2000, 500), None),
        (Look(None, 0, set()), look(1000, 2000, 500), None),
    ],
)
def test_foreign_load_is_what_is_busy_and_not_ours(before, after, share):
    assert host_load.foreign_share(before, after) == share


@needs_proc
def test_another_familys_work_is_foreign_and_our_own_is_not():
    burn = "import time\nuntil = time.monotonic() + 20\nwhile time.monotonic() < until: pass"
    before = host_load.look(os.getpid())
    burner = subprocess.Popen([sys.executable, "-c", burn])
    try:
        wait_for(lambda: host_load.look(burner.pid).ours >= 30)
        after = host_load.look(os.getpid())
        assert burner.pid in after.pids
        assert after.ours - before.ours >= 30
        stranger = host_load.look(burner.pid)
        assert os.getpid() not in stranger.pids
    finally:
        burner.kill()
        burner.wait()


def test_a_process_with_any_name_is_read():
    text = "12 (a (b) c) R 7 1 1 0 -1 0 0 0 0 0 5 6 7 8 20 0 1 0 1 1 1"
    assert host_load.process_in(text) == host_load.Process(7, 26)
    for broken in ("", "12 (x) R", "12 (x) R a b c d e f g h i j k l m n o p", None):
        assert host_load.process_in(broken) is None


LOG = """[12345.678901] NVRM: Xid (PCI:0000:00:1e): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
2026-09-08T01:00:00+0000 n1 kernel: NVRM: Xid (PCI:0000:01:00): 31, pid=1, name=python3, Ch 00000010
nvidia-nvswitch0: SXid (PCI:0000:00:00.0): 11001, Fatal, invalid command
NVRM: Xid (PCI:0000:01:00): 43
"""


def test_xids_of_the_kernels_log():
    found = kernel_log.xids_in(LOG)
    assert [(xid.gpu, xid.code) for xid in found] == [
        ("PCI:0000:00:1e", 79),
        ("PCI:0000:01:00", 31),
        ("PCI:0000:01:00", 43),
    ]
    assert found[0].message.endswith("GPU has fallen off the bus.")
    assert [kernel_log.severity(xid.code) for xid in found] == ["fail", "warn", "warn"]
    assert kernel_log.severity(999) == "warn"


def test_only_what_came_meanwhile_is_new():
    before = kernel_log.xids_in(LOG)
    again = before + [before[0]]
    assert kernel_log.new_since(before, again) == [before[0]]
    assert kernel_log.new_since(None, again) is None


def test_a_log_that_is_followed_gives_each_message_once(tmp_path):
    path = tmp_path / "kmsg"
    os.mkfifo(path)
    follower = kernel_log.Follower(str(path))
    writer = os.open(path, os.O_WRONLY)
    assert follower.news() == []
    os.write(writer, LOG.encode())
    assert [xid.code for xid in follower.news()] == [79, 31, 43]
    assert follower.news() == []
    os.close(writer)
    follower.close()
    assert kernel_log.Follower(str(tmp_path / "none")).readable is False


def test_a_table_says_nothing_for_what_is_not_known(tmp_path):
    sample = {"index": 0, "utilization": None, "power_watts": 12.5, "throttle_reasons": []}
    look = {"at": "2026-11-27T08:00:00.000Z", "gpus": [sample], "cpu_percent": None, "memory_used_bytes": 5}
    assert telemetry_csv.rows(look, True) == ["2026-11-27T08:00:00.000Z,1,0,,,12.5,,,,,,none,,5"]


def test_a_table_that_is_full_ends_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(telemetry_csv, "MOST_BYTES", 400)
    table = telemetry_csv.Table(str(tmp_path / "table.csv"))
    look = {"at": "2026-11-27T08:00:00.000Z", "gpus": [], "cpu_percent": 1.0, "memory_used_bytes": 5}
    for _ in range(20):
        table.write(look, False)
    assert table.truncated
    assert (tmp_path / "table.csv").stat().st_size <= 400
