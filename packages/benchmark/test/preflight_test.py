"""The rules of the preflight over readings, and the program on this machine."""

import os

import fake_nvidia_smi
import pytest
import torch
from gpu_actions_host import kernel_log, preflight, references, self_test
from gpu_actions_host import preflight_checks as rules
from gpu_actions_host.devices import Device
from monitors_test import of

CPU = Device(torch.device("cpu"), "cpu", None)


def xid(code):
    return kernel_log.Xid("PCI:0000:01:00", code, None)


def counters(**known):
    return known


MEMORY = references.memory(500)
CASES = [
    (rules.uncorrected(0, {"ecc_uncorrected": 0}), "pass"),
    (rules.uncorrected(0, {"ecc_uncorrected": 1}), "fail"),
    (rules.uncorrected(0, {}), "skipped"),
    (rules.corrected(0, {"ecc_corrected_sram": 10_000, "ecc_corrected_dram": None}), "pass"),
    (rules.corrected(0, {"ecc_corrected_sram": 10_001, "ecc_corrected_dram": 0}), "warn"),
    (rules.corrected(0, {"ecc_corrected_sram": 0, "ecc_corrected_dram": 20_000_001}), "fail"),
    (rules.corrected(0, {"ecc_corrected": 3}), "pass"),
    (rules.corrected(0, {}), "skipped"),
    (rules.remapped(0, {"remap_pending": False, "remap_failed": False}), "pass"),
    (rules.remapped(0, {"remap_pending": False, "remap_failed": False, "rows_remapped_corrected": 1}), "warn"),
    (rules.remapped(0, {"remap_pending": True, "remap_failed": False}), "fail"),
    (rules.remapped(0, {"remap_pending": None, "remap_failed": True}), "fail"),
    (rules.remapped(0, {}), "skipped"),
    (rules.retired(0, {"pages_retired_single": 0, "pages_retired_double": 0, "pages_pending": False}), "pass"),
    (rules.retired(0, {"pages_retired_single": 9, "pages_retired_double": 1}), "warn"),
    (rules.retired(0, {"pages_retired_single": 9, "pages_retired_double": 2}), "fail"),
    (rules.retired(0, {"pages_retired_single": 0, "pages_pending": True}), "fail"),
    (rules.retired(0, {}), "skipped"),
    (rules.xids([]), "pass"),
    (rules.xids([xid(31)]), "warn"),
    (rules.xids([xid(31), xid(79)]), "fail"),
    (rules.xids([xid(999)]), "warn"),
    (rules.xids(None), "skipped"),
    (rules.headroom(0, 10), "pass"),
    (rules.headroom(0, 9.9), "warn"),
    (rules.headroom(0, 2.9), "fail"),
    (rules.headroom(0, None), "skipped"),
    (rules.idle(0, {"memory_used_bytes": 0, "utilization": 0}), "pass"),
    (rules.idle(0, {"memory_used_bytes": 2**30, "utilization": 0}), "warn"),
    (rules.idle(0, {"memory_used_bytes": None, "utilization": 3}), "warn"),
    (rules.idle(0, {}), "skipped"),
    (rules.foreign_processes(0), "pass"),
    (rules.foreign_processes(1), "fail"),
    (rules.foreign_processes(None), "skipped"),
    (rules.driver_versions(0, "590.48.01", "590.48.01"), "pass"),
    (rules.driver_versions(0, "590.48.01", "595.80"), "fail"),
    (rules.driver_versions(18, "590.48.01", None), "fail"),
    (rules.driver_versions(9, "590.48.01", None), "skipped"),
    (rules.driver_versions(None, None, None), "skipped"),
    (rules.speed("memory-copy", 0, 475e9, "GB/s", 1e9, MEMORY), "pass"),
    (rules.speed("memory-copy", 0, 474e9, "GB/s", 1e9, MEMORY), "warn"),
    (rules.speed("memory-copy", 0, 424e9, "GB/s", 1e9, MEMORY), "fail"),
    (rules.speed("memory-copy", 0, 474e9, "GB/s", 1e9, None), "skipped"),
    (rules.speed("memory-copy", 0, None, "GB/s", 1e9, MEMORY), "skipped"),
    (rules.host_to_device(0, 21e9, 4, 16), "pass"),
    (rules.host_to_device(0, 20e9, 4, 16), "warn"),
    (rules.host_to_device(0, 19e9, 4, 16), "fail"),
    (rules.host_to_device(0, 10.5e9, 4, 8), "pass"),
    (rules.host_to_device(0, 21e9, None, 16), "skipped"),
    (rules.host_to_device(0, 21e9, 6, 16), "skipped"),
    (rules.throttled(0, {"hardware_thermal": 0, "software_power_cap": 9e6}, 10), "pass"),
    (rules.throttled(0, {"hardware_thermal": 10_001}, 10), "fail"),
    (rules.throttled(0, {"software_thermal": 1}, 10), "warn"),
    (rules.throttled(0, {"software_thermal": 100_001}, 10), "fail"),
    (rules.throttled(0, {"software_thermal": None}, 10), "skipped"),
    (rules.throttled(0, None, 10), "skipped"),
]


@pytest.mark.parametrize(("check", "status"), CASES, ids=lambda one: getattr(one, "name", one))
def test_each_check_has_its_lines(check, status):
    assert check.status == status
    assert check.reason
    if status == "skipped":
        assert check.threshold is None
    else:
        assert check.signal
        assert check.threshold
        assert check.source


MOST = {"pcie_generation_max": 4, "pcie_width_max": 16}


@pytest.mark.parametrize(
    ("model", "sample", "most", "status"),
    [
        ("NVIDIA A100-SXM4-40GB", (4, 16), MOST, "pass"),
        ("NVIDIA A100-SXM4-40GB", (3, 16), MOST, "warn"),
        ("NVIDIA A100-SXM4-40GB", (4, 8), MOST, "fail"),
        ("NVIDIA A10G", (4, 8), MOST, "pass"),
        ("Tesla T4", (3, 8), {"pcie_generation_max": 3, "pcie_width_max": 16}, "pass"),
        ("Tesla T4", (3, 4), {"pcie_generation_max": 3, "pcie_width_max": 16}, "fail"),
        ("NVIDIA A10G", (None, 8), MOST, "skipped"),
        ("NVIDIA A10G", (4, 8), {}, "skipped"),
    ],
)
def test_a_link_under_load(model, sample, most, status):
    told = {"pcie_generation": sample[0], "pcie_width": sample[1]}
    assert rules.pcie(0, model, told, most).status == status


NO_DRIVER = {"name": None}


@pytest.mark.parametrize(
    ("names", "instance_type", "status"),
    [
        (["NVIDIA A10G"], "g5.2xlarge", "pass"),
        (["NVIDIA A10G"] * 4, "g5.12xlarge", "pass"),
        (["NVIDIA A10G"] * 3, "g5.12xlarge", "fail"),
        (["NVIDIA L4"], "g6e.xlarge", "fail"),
        (["NVIDIA L40S"], "g6.xlarge", "fail"),
        (["NVIDIA H100 80GB HBM3"] * 8, "p5.48xlarge", "pass"),
        (["NVIDIA A100-SXM4-40GB"] * 8, "p4d.24xlarge", "pass"),
        (["Something"], "x9.large", "pass"),
        (["Something"], None, "pass"),
        ([], "g5.2xlarge", "fail"),
    ],
)
def test_the_gpus_are_those_of_the_instance_type(names, instance_type, status):
    assert rules.gpus_there(NO_DRIVER, names, instance_type).status == status


def test_a_gpu_of_another_form_or_a_slice_has_no_reference():
    assert references.of("NVIDIA A10G").memory.value == 484e9
    assert references.of("NVIDIA A10G MIG 1g.5gb") is None
    assert references.of("NVIDIA A10") is None
    assert references.of(None) is None


def test_the_worst_check_speaks_for_all_and_skipped_ones_do_not():
    assert rules.worse(["pass", "skipped", "warn"]) == "warn"
    assert rules.worse(["pass", "fail", "warn"]) == "fail"
    assert rules.worse(["skipped", "pass"]) == "pass"
    assert rules.worse(["skipped"]) == "skipped"
    assert rules.worse([]) == "skipped"


def test_right_numbers_pass():
    told = self_test.numbers(CPU)
    assert (told["different"], told["repeats"]) == (0, 20)
    assert rules.numbers(None, told).status == "pass"


def flaky(real, when):
    """An operation whose result has one wrong bit from time to time."""
    count = [0]

    def operate(*arguments, **more):
        found = real(*arguments, **more)
        count[0] += 1
        if when(count[0]):
            found.view(-1)[0] = torch.nextafter(found.view(-1)[0], torch.tensor(float("inf"), dtype=found.dtype))
        return found

    return operate


def test_one_wrong_bit_in_one_of_twenty_repeats_is_found(monkeypatch):
    real = torch.nn.functional.conv2d
    monkeypatch.setattr(torch.nn.functional, "conv2d", flaky(real, lambda count: count == 9))
    told = self_test.numbers(CPU)
    assert told["different"] == 1
    assert rules.numbers(None, told).status == "fail"


@pytest.mark.parametrize("wrong", [2.0, float("nan"), float("inf")])
def test_numbers_that_repeat_but_are_wrong_fail(monkeypatch, wrong):
    real = torch.nn.functional.conv2d

    def operate(*arguments, **more):
        found = real(*arguments, **more)
        if found.dtype == torch.float32:
            found.view(-1)[0] = wrong * found.abs().max()
        return found

    monkeypatch.setattr(torch.nn.functional, "conv2d", operate)
    assert rules.numbers(None, self_test.numbers(CPU)).status == "fail"


def test_the_self_test_leaves_torchs_switches_as_they_were():
    torch.backends.cudnn.benchmark = True
    self_test.numbers(CPU)
    assert torch.backends.cudnn.benchmark is True
    torch.backends.cudnn.benchmark = False


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_on_a_cpu_what_can_run_runs_and_the_rest_is_skipped_with_its_reason(run):
    done = run("preflight", "--allow-cpu")
    assert done.code == 0
    told = done.only("preflight")
    by_name = {check["name"]: check for check in told["checks"]}
    assert [one for one in done.events() if one["event"] == "preflight-check"] == [
        {"event": "preflight-check", **check} for check in told["checks"]
    ]
    assert by_name["numbers"]["status"] == "pass"
    assert by_name["memory-copy"]["status"] == "skipped"
    assert by_name["memory-copy"]["signal"].endswith("GB/s")
    assert told["measured"]["memory_bytes_per_second"] > 1e8
    assert told["measured"]["host_to_device_bytes_per_second"] is None
    assert all(check["reason"] for check in told["checks"])
    assert {check["status"] for check in told["checks"]} == {"pass", "skipped"}
    assert told["status"] == "pass"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_without_a_gpu_and_without_leave_for_the_cpu_the_host_is_not_fit(run):
    told = run("preflight").only("preflight")
    assert told["status"] == "fail"
    assert [check["name"] for check in told["checks"] if check["status"] == "fail"] == ["gpus"]


def test_a_sick_gpu_is_found_before_anything_computes(tmp_path, run):
    sick = dict(
        of("595.80"),
        **{
            "ecc.errors.uncorrected.volatile.total": "2",
            "remapped_rows.pending": "Yes",
            "temperature.gpu.tlimit": "2",
            "utilization.gpu": "0 %",
        },
    )
    folder = fake_nvidia_smi.install(tmp_path, [sick], apps=[1])
    told = run("preflight", "--allow-cpu", PATH=f"{folder}:{os.environ['PATH']}").only("preflight")
    failed = {check["name"] for check in told["checks"] if check["status"] == "fail"}
    assert failed == {"ecc-uncorrected", "row-remapping", "thermal-headroom", "foreign-processes"}


@pytest.mark.parametrize(
    ("told", "failures"),
    [
        ({"DCGM Diagnostic": {"test_categories": [{"category": "Deployment", "tests": [
            {"name": "Denylist", "results": [{"gpu_id": "0", "status": "Pass"}]},
            {"name": "Memory", "results": [{"gpu_id": "0", "status": "Fail"}]}]}]}}, ["Memory"]),
        ({"tests": [{"name": "Denylist", "results": [{"status": "Pass"}]}]}, []),
        ({"tests": []}, None), (None, None), ([], None),
    ],
)  # fmt: skip
def test_the_report_of_dcgm_however_deep_its_statuses_are(told, failures):
    assert preflight.failures_in(told) == failures
