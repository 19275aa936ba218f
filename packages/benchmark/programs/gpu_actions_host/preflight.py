"""`preflight`: is this host fit to be measured? Each check tells what it read, against what, and where the line comes
from. `quick` takes seconds on a GPU; `all` also runs the makers' own diagnoses where they are installed."""

import argparse
import os
import time
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host import (
    amd,
    environment,
    gpu_check,
    gpu_sources,
    instance,
    kernel_log,
    nvidia_smi,
    nvml,
    references,
    telemetry,
    telemetry_summary,
)
from gpu_actions_host import preflight_checks as rules
from gpu_actions_host.events import emit
from gpu_actions_host.preflight_checks import Check, skipped
from gpu_actions_host.readings import json_in, number, run

LEVELS = ("quick", "all")
BEFORE_LOAD = (
    "foreign-processes", "idle", "thermal-headroom", "ecc-uncorrected", "ecc-corrected", "row-remapping",
    "retired-pages",
)  # fmt: skip


class Preflight:
    def __init__(self, level: str, allow_cpu: bool) -> None:
        self.level = level
        self.allow_cpu = allow_cpu
        self.checks: List[Check] = []
        self.measured: Dict[str, Optional[float]] = {
            "memory_bytes_per_second": None,
            "memory_triad_bytes_per_second": None,
            "matmul_flops": None,
            "host_to_device_bytes_per_second": None,
            "device_to_host_bytes_per_second": None,
        }
        self.source = gpu_sources.choose()
        self.counters_before: Dict[Optional[int], Dict[str, Any]] = {}

    def add(self, *checks: Check) -> None:
        for check in checks:
            self.checks.append(check)
            emit("preflight-check", **check._asdict())

    def slowest(self, name: str, value: float) -> None:
        """The slowest GPU's."""
        known = self.measured[name]
        self.measured[name] = value if known is None else min(known, value)

    def run(self) -> Dict[str, Any]:
        started = time.monotonic()
        # Before torch holds the GPUs.
        self.before_load()
        from gpu_actions_host import devices

        if devices.torch.cuda.is_available():
            self.on_gpus(devices)
        else:
            self.on_cpu(devices)
        if self.level == "all":
            self.add(*diagnoses())
        return {
            "level": self.level,
            "status": rules.worse([check.status for check in self.checks]),
            "checks": [check._asdict() for check in self.checks],
            "measured": self.measured,
            "seconds": round(time.monotonic() - started, 3),
        }

    def before_load(self) -> None:
        self.add(driver_check(), xid_check())
        samples = {one["index"]: one for one in first_samples(self.source)}
        self.counters_before = {one["index"]: one for one in self.source.counters()}
        indexes = sorted(index for index in {*samples, *self.counters_before} if index is not None)
        if not indexes:
            for name in BEFORE_LOAD:
                self.add(skipped(name, "There is no GPU that can be asked"))
            return
        users = self.source.compute_pids()
        foreign = telemetry_summary.foreign_processes(users, {os.getpid()}, telemetry.is_here)
        self.add(rules.foreign_processes(foreign))
        heads = headrooms()
        for index in indexes:
            counters = self.counters_before.get(index, {})
            self.add(rules.idle(index, samples.get(index, {})), rules.headroom(index, heads.get(index)))
            for rule in (rules.uncorrected, rules.corrected, rules.remapped, rules.retired):
                self.add(rule(index, counters))

    def on_gpus(self, devices: Any) -> None:
        torch = devices.torch
        count = int(torch.cuda.device_count())
        names = [torch.cuda.get_device_name(index) for index in range(count)]
        self.add(rules.gpus_there(gpu_check.check(), names, instance.instance_type()))
        identities = {one.get("index"): one for one in instance.gpus()}
        began = time.monotonic()
        for index, name in enumerate(names):
            self.compute(devices.choose(False, index), index, name, identities.get(index, {}))
        seconds = time.monotonic() - began
        for one in self.source.counters():
            told = telemetry_summary.counted(self.counters_before.get(one["index"], {}), one)
            self.add(rules.throttled(one["index"], told["throttled_microseconds"], seconds))
        self.add(*self.between(names))
        self.add(skipped("training-sanity", "Every run of resnet50 trains on one batch first, and its result says how"))

    def compute(self, device: Any, index: int, name: str, identity: Dict[str, Any]) -> None:
        from gpu_actions_host import memory, self_test

        known = references.of(name)
        self.add(rules.numbers(index, self_test.numbers(device)))
        flops, what = self_test.matmul_speed(device)
        self.slowest("matmul_flops", flops)
        wanted = known.matmul if known is not None and what.startswith("bf16") else None
        self.add(rules.speed("matmul", index, flops, f"TFLOP/s {what}", 1e12, wanted))
        speeds = self_test.memory_speed(device)
        self.slowest("memory_bytes_per_second", speeds["copy"] or 0)
        self.slowest("memory_triad_bytes_per_second", speeds["triad"] or 0)
        self.add(rules.speed("memory-copy", index, speeds["copy"], "GB/s", 1e9, known.memory if known else None))
        there, back, seen = self_test.link_speed(device, self.source.samples)
        self.slowest("host_to_device_bytes_per_second", there)
        self.slowest("device_to_host_bytes_per_second", back)
        sample = next((one for one in seen if one["index"] == index), {})
        self.add(
            rules.pcie(index, name, sample, identity),
            rules.host_to_device(index, there, sample.get("pcie_generation"), sample.get("pcie_width")),
        )
        memory.release()

    def between(self, names: List[str]) -> List[Check]:
        if len(names) < 2:
            return [skipped("peer-to-peer", "There is one GPU"), skipped("nccl", "There is one GPU")]
        found = [skipped("nccl", "A run on several GPUs measures its own scaling; all-reduce alone is not measured")]
        if self.level != "all":
            return [*found, skipped("peer-to-peer", "Level all measures it")]
        from gpu_actions_host import self_test

        known = references.of(names[0])
        line = known.p2p if known is not None else None
        wanted = None if line is None else references.Reference(line, references.AZURE, 1.0, references.NEARLY)
        for index in range(1, len(names)):
            found.append(rules.speed("peer-to-peer", index, self_test.peer_speed(0, index), "GB/s", 1e9, wanted))
        return found

    def on_cpu(self, devices: Any) -> None:
        """Numbers are checked, speeds measured and not judged: nobody knows what this CPU should reach."""
        from gpu_actions_host import self_test

        if not self.allow_cpu:
            self.add(rules.gpus_there(gpu_check.check(), [], instance.instance_type()))
            return
        self.add(skipped("gpus", "The CPU is measured"))
        device = devices.choose(True)
        self.add(rules.numbers(None, self_test.numbers(device)))
        speeds = self_test.memory_speed(device)
        self.measured["memory_bytes_per_second"] = speeds["copy"]
        self.measured["memory_triad_bytes_per_second"] = speeds["triad"]
        flops, what = self_test.matmul_speed(device)
        self.measured["matmul_flops"] = flops
        unjudged = "A CPU: measured, and not judged"
        self.add(
            Check("memory-copy", "skipped", unjudged, f"{(speeds['copy'] or 0) / 1e9:.3g} GB/s"),
            Check("matmul", "skipped", unjudged, f"{flops / 1e9:.3g} GFLOP/s {what}"),
        )
        for name in ("pcie-under-load", "host-to-device", "throttling", "peer-to-peer", "nccl"):
            self.add(skipped(name, "The CPU is measured"))
        self.add(skipped("training-sanity", "Every run of resnet50 trains on one batch first, and its result says how"))


def first_samples(source: Any) -> List[Dict[str, Any]]:
    """A tool that prints once a second has nothing to tell at once."""
    until = time.monotonic() + (3 if source.pids() else 0)
    while True:
        found: List[Dict[str, Any]] = [one for one in source.samples() if one["index"] is not None]
        if found or time.monotonic() >= until:
            return found
        time.sleep(0.1)


def driver_check() -> Check:
    code, library = nvml.version()
    return rules.driver_versions(code, environment.first(environment.KERNEL_MODULE, nvidia_module()), library)


def nvidia_module() -> Optional[str]:
    return environment.text_of("/proc/driver/nvidia/version")


def xid_check() -> Check:
    if nvidia_module() is None:
        return skipped("xid", "There is no NVIDIA driver")
    return rules.xids(kernel_log.since_boot())


def headrooms() -> Dict[Optional[int], Optional[float]]:
    """Degrees to slowdown, by GPU."""
    rows = nvidia_smi.ask(["index", "temperature.gpu.tlimit"])
    if rows:
        return {nvidia_smi.whole(row.get("index")): number(row.get("temperature.gpu.tlimit")) for row in rows}
    limits = {one["index"]: one.get("slowdown_celsius") for one in map(amd.smi_identity, amd.ask_static())}
    if not limits:
        return {}
    now = {one["index"]: one["temperature_celsius"] for one in map(amd.smi_sample, amd.ask_metric())}
    return {
        index: None if limit is None or now.get(index) is None else limit - now[index]
        for index, limit in limits.items()
    }


# What ROCm's own checkers look for (ROCm/cvs).
RVS_FAILURES = ("met: FALSE", "pass: FALSE", "RVS-ERROR", "FAIL")


def diagnoses() -> List[Check]:
    return [dcgm(), rvs()]


def dcgm() -> Check:
    name, source = "dcgm", "NVIDIA DCGM, dcgmi diag -r 1"
    code, text = run(["dcgmi", "diag", "-r", "1", "-j"], 180)
    if code is None:
        return skipped(name, "dcgmi is not installed, or did not end")
    failed = failures_in(json_in(text))
    if failed is None:
        return skipped(name, f"dcgmi ended with {code} and told nothing that can be read")
    status = "fail" if failed else "pass"
    return Check(name, status, f"{len(failed)} tests failed", ", ".join(failed) or "none failed", "none", source)


def failures_in(told: Any, where: str = "dcgm") -> Optional[List[str]]:
    """Names of tests whose status says fail, however deep: the form of this output is not promised."""
    found: List[str] = []
    seen = False
    waiting = [(where, told)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list):
            waiting.extend((name, one) for one in value)
        if isinstance(value, dict):
            label = value.get("name", name)
            status = value.get("status")
            if isinstance(status, str):
                seen = True
                if status.lower() in ("fail", "failed"):
                    found.append(str(label)[:60])
            waiting.extend((str(label), one) for one in value.values())
    return sorted(set(found)) if seen else None


def rvs() -> Check:
    name, source = "rvs", "ROCmValidationSuite, rvs -r 2"
    code, text = run(["rvs", "-r", "2"], 600)
    if code is None:
        return skipped(name, "rvs is not installed, or did not end")
    bad = [word for word in RVS_FAILURES if word in (text or "")]
    signal = ", ".join(bad) or f"exit code {code}"
    if bad or code != 0:
        return Check(name, "fail", "It failed", signal, "no failure", source)
    return Check(name, "pass", "It passed", signal, "no failure", source)


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="programs.pyz preflight", description=__doc__)
    parser.add_argument("--level", choices=LEVELS, default="quick")
    parser.add_argument("--allow-cpu", action="store_true", help="check the CPU where there is no GPU")
    asked = parser.parse_args(list(given))
    found = Preflight(asked.level, asked.allow_cpu).run()
    emit("preflight", **found)
    return 0
