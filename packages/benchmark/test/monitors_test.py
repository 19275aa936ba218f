"""Parsers of monitoring tools over captures of theirs, and over damaged ones."""

import json
import pathlib
import random
import re

import fake_nvidia_smi
import pytest
from gpu_actions_host import amd, intel, nvidia_smi, readings

FOLDER = pathlib.Path(__file__).parent / "fixtures" / "monitors"
NVIDIA, AMD, ROCM = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("nvidia", "amd-smi", "rocm-smi"))
MIB = 2**20
READERS = (nvidia_smi.sample, nvidia_smi.counters, nvidia_smi.identity)


def of(driver, index=0):
    (found,) = [one for one in NVIDIA if one["driver"] == driver and "K80" not in one["gpus"][0]["name"]]
    return found["gpus"][index]


@pytest.mark.parametrize("fixture", NVIDIA + AMD + ROCM, ids=lambda one: one["source"][:60])
def test_every_fixture_names_its_source(fixture):
    assert len(fixture["source"]) > 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("144.97 W", 144.97), ("100 %", 100), ("200740215 us", 200740215), ("(1402Mhz)", 1402), ("-3", -3),
        ("[N/A]", None), ("N/A", None), ("", None), ("[Not Supported]", None), ("[Unknown Error]", None),
        ("[Requested functionality has been deprecated]", None), ("No", None), ("1, 2", None), ("12 34", None),
        ("0x24", None), ("nan", None), ("inf", None), ("1e5", None), (True, None), (None, None), ([], None),
        ({"value": 142, "unit": "W"}, 142), ({"value": "N/A", "unit": "W"}, None), ({}, None),
    ],
)  # fmt: skip
def test_only_what_is_plainly_a_number_is_one(text, value):
    assert readings.number(text) == value


def test_a_gpu_under_load_of_driver_595_is_read_whole():
    row = of("595.80")
    assert nvidia_smi.sample(row) == {
        "index": 0,
        "utilization": 100,
        "memory_used_bytes": 0,
        "power_watts": 144.97,
        "temperature_celsius": 63,
        "sm_clock_mhz": 2520,
        "memory_clock_mhz": 9001,
        "pcie_generation": 4,
        "pcie_width": 16,
        "throttle_reasons": [],
    }
    counters = nvidia_smi.counters(row)
    assert counters["throttled_microseconds"] == {
        "hardware_slowdown": None,
        "hardware_thermal": 0,
        "power_brake": 0,
        "software_thermal": 0,
        "software_power_cap": 200740215,
    }
    assert (counters["ecc_uncorrected"], counters["remap_pending"]) == (0, False)
    assert counters["pages_retired_single"] is None
    identity = nvidia_smi.identity(row)
    assert (identity["name"], identity["mig"], identity["memory_bytes"]) == ("NVIDIA L40S", None, 46068 * MIB)


def test_in_mig_mode_utilisation_and_remapped_rows_are_not_known():
    row = of("590.48.01")
    sample, counters = nvidia_smi.sample(row), nvidia_smi.counters(row)
    assert (sample["utilization"], sample["throttle_reasons"]) == (None, [])
    assert (counters["remap_pending"], counters["rows_remapped_corrected"]) == (None, None)
    assert nvidia_smi.identity(row)["mig"] == "Enabled"


def test_before_driver_535_reasons_have_another_name_and_no_counters():
    row = of("470.182.03")
    assert nvidia_smi.sample(row)["throttle_reasons"] == ["software_power_cap", "software_thermal"]
    assert set(nvidia_smi.counters(row)["throttled_microseconds"].values()) == {None}
    assert nvidia_smi.counters(row)["pages_retired_single"] == 1


def test_fields_that_were_not_asked_are_not_known():
    sample = nvidia_smi.sample(of("580.159.03", 1))
    assert (sample["index"], sample["power_watts"], sample["memory_used_bytes"]) == (3, 122.94, 131567 * MIB)
    assert (sample["sm_clock_mhz"], sample["pcie_width"], sample["throttle_reasons"]) == (None, None, None)


def test_what_a_gpu_does_not_support_is_not_known():
    (fixture,) = [one for one in NVIDIA if "K80" in one["gpus"][0]["name"]]
    sample = nvidia_smi.sample(fixture["gpus"][0])
    assert {name for name, value in sample.items() if value is not None} == {"index", "memory_used_bytes"}


@pytest.mark.parametrize("fixture", NVIDIA, ids=lambda one: one["source"][:40])
def test_only_fields_that_the_help_lists_are_asked(fixture, tmp_path, monkeypatch):
    folder = fake_nvidia_smi.install(tmp_path, fixture["gpus"])
    monkeypatch.setenv("PATH", folder, prepend=":")
    rows = nvidia_smi.ask(nvidia_smi.COUNTER_FIELDS + nvidia_smi.IDENTITY_FIELDS[1:2])
    assert [row["index"] for row in rows] == [gpu["index"] for gpu in fixture["gpus"]]
    assert [row["name"] for row in rows] == [gpu["name"] for gpu in fixture["gpus"]]
    assert nvidia_smi.known(["no.such.field"]) == []


@pytest.mark.parametrize(
    ("text", "pids"),
    [("", []), ("1234\n77\n", [77, 1234]), ("[N/A]\n", None), ("[Not Supported]\n", None), (None, None)],
)
def test_processes_on_the_gpus(text, pids):
    assert nvidia_smi.compute_pids(text) == pids


def amd_gpus(kind):
    return [gpu for one in AMD if one["kind"] == kind for gpu in amd.gpus_in(one["told"])]


def test_amd_smi_of_several_versions():
    samples = [amd.smi_sample(gpu) for gpu in amd_gpus("metric")]
    assert [one["power_watts"] for one in samples] == [542, 141, 41, None, 100]
    assert [one["temperature_celsius"] for one in samples] == [71, 38, 33, None, 40]
    assert [one["utilization"] for one in samples] == [87, 0, None, None, 50]
    assert samples[0]["memory_used_bytes"] == 121344 * MIB
    assert (samples[2]["pcie_generation"], samples[2]["pcie_width"], samples[2]["sm_clock_mhz"]) == (4, 16, 800)
    counters = [amd.smi_counters(gpu) for gpu in amd_gpus("metric")]
    assert [one["ecc_corrected"] for one in counters] == [None, None, 3, None, None]
    assert counters[2]["energy_millijoules"] == 1534200
    assert counters[0]["throttled_microseconds"] is None


def test_amd_smi_says_what_a_gpu_is():
    (found,) = [amd.smi_identity(gpu) for gpu in amd_gpus("static")]
    assert (found["name"], found["power_limit_watts"], found["slowdown_celsius"]) == ("AMD Instinct MI210", 300, 100)
    assert (found["pcie_generation_max"], found["pcie_width_max"], found["memory_bytes"]) == (4, 16, 65520 * MIB)


def test_rocm_smi_of_several_versions():
    samples = [amd.rocm_sample(card) for one in ROCM for card in amd.rocm_gpus(one["told"])]
    assert [one["index"] for one in samples] == [0, 1, 0, 0, 3]
    assert [one["power_watts"] for one in samples] == [36, None, 6, 26, 35]
    assert [one["temperature_celsius"] for one in samples] == [55, 58, 47, 38, None]
    assert [one["sm_clock_mhz"] for one in samples] == [300, None, 0, 1725, None]
    assert [one["pcie_generation"] for one in samples] == [4, None, 4, 4, None]
    (card,) = amd.rocm_gpus(ROCM[3]["told"])
    assert amd.rocm_counters(card)["energy_millijoules"] == pytest.approx(52583068.28732)


def test_a_warning_before_the_json_does_not_hide_it():
    text = "WARNING: User is missing the following required groups: render\n" + json.dumps(AMD[0]["told"])
    assert amd.gpus_in(readings.json_in(text)) == amd.gpus_in(AMD[0]["told"])
    assert readings.json_in("no json") is None


def test_the_kernels_own_files_of_an_amd_gpu(tmp_path):
    card = tmp_path / "card1" / "device"
    sensors = card / "hwmon" / "hwmon3"
    sensors.mkdir(parents=True)
    for name, text in {
        "vendor": "0x1002", "gpu_busy_percent": "97", "mem_info_vram_used": "6750208",
        "current_link_speed": "16.0 GT/s PCIe", "current_link_width": "16", "hwmon/hwmon3/power1_average": "36000000",
        "hwmon/hwmon3/temp1_input": "53000", "hwmon/hwmon3/temp2_input": "55000",
        "hwmon/hwmon3/freq1_input": "300000000",
    }.items():  # fmt: skip
        (card / name).write_text(text + "\n")
    (tmp_path / "card0" / "device").mkdir(parents=True)
    (tmp_path / "card0" / "device" / "vendor").write_text("0x10de\n")
    assert amd.cards(str(tmp_path)) == [str(card)]
    assert amd.kernel_sample(0, str(card)) == {
        "index": 0, "utilization": 97, "memory_used_bytes": 6750208, "power_watts": 36, "temperature_celsius": 55,
        "sm_clock_mhz": 300, "memory_clock_mhz": None, "pcie_generation": 4, "pcie_width": 16, "throttle_reasons": None,
    }  # fmt: skip


# A capture of a Data Center GPU Flex (find_string id 6757570765): columns by name, N/A among them.
XPU = (
    "Timestamp, DeviceId, GPU Utilization (%), GPU Power (W), GPU Frequency (MHz), "
    "GPU Core Temperature (Celsius Degree), GPU Memory Temperature (Celsius Degree), "
    "GPU Memory Utilization (%), GPU Memory Used (MiB)",
    "14:32:57.448,    0, 0.00, 106.60,    0,  N/A,  N/A, 0.05, 28.02",
)


def test_xpu_smi_columns_are_found_by_name():
    header = intel.header_of(XPU[0])
    found = intel.sample(XPU[1], header)
    assert (found["index"], found["power_watts"], found["temperature_celsius"]) == (0, 106.6, None)
    assert found["memory_used_bytes"] == pytest.approx(28.02 * MIB)
    assert intel.header_of(XPU[1]) is None
    assert intel.sample("14:32:57.448, 0, 1", header) is None


WORDS = ["N/A", "[N/A]", "", "[Not Supported]", "None", "\x00", "9" * 40, "-1", "1e999", "0x", "Yes", "é", "1,2", "{}"]
# Factors by which a reading may be brought to our unit.
FACTORS = (1, MIB, 1000, 1e-3, 1e-6)


def numbers_in(value):
    return {float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", str(value)) if len(one) < 64}


def invented(told, found):
    """Numbers that no token of the input gives. PCIe generations are looked up, and reasons are bits."""
    given = numbers_in(told)
    possible = [one * factor for one in given for factor in FACTORS]
    flat = [value for value in found.values() if isinstance(value, (int, float)) and not isinstance(value, bool)]
    flat += [value for value in (found.get("throttled_microseconds") or {}).values() if value is not None]
    known = [value for name, value in found.items() if name.startswith("pcie_generation")]
    return [
        value for value in flat
        if value not in known and not any(abs(value - one) <= 1e-6 * max(1.0, abs(one)) for one in possible)
    ]  # fmt: skip


def damaged_row(chance, row):
    return {
        name: chance.choice(WORDS) if chance.random() < 0.3 else value
        for name, value in row.items()
        if chance.random() > 0.2
    }


def test_damaged_rows_of_nvidia_smi_give_no_number_that_was_not_there():
    chance = random.Random(595)
    for _ in range(400):
        row = damaged_row(chance, chance.choice(chance.choice(NVIDIA)["gpus"]))
        for reader in READERS:
            assert invented(row, reader(row)) == []


def test_damaged_text_of_nvidia_smi_is_no_row_or_a_whole_one():
    chance = random.Random(535)
    fields = list(nvidia_smi.SAMPLE_FIELDS[:8])
    for _ in range(400):
        text = "0, 98 %, 3 MiB, 69.91 W, 81, 1110 MHz, 5000 MHz, 3\n" * 2
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(text))
            text = text[:place] + chance.choice(WORDS + [",", "\n"]) + text[place + chance.randrange(3) :]
        for row in nvidia_smi.rows_of(text, fields):
            assert list(row) == fields
            assert invented(text, nvidia_smi.sample(row)) == []
        nvidia_smi.known_fields(text)


def damaged(chance, value, depth=0):
    """The same tree with keys lost and values of other kinds."""
    if chance.random() < 0.08:
        return chance.choice([None, [], {}, "N/A", True, -5, "12", {"value": "N/A", "unit": "W"}, [1, 2]])
    if isinstance(value, dict):
        return {name: damaged(chance, inner, depth + 1) for name, inner in value.items() if chance.random() > 0.1}
    if isinstance(value, list):
        return [damaged(chance, inner, depth + 1) for inner in value]
    return value


def test_damaged_json_of_amd_tools_gives_no_number_that_was_not_there():
    chance = random.Random(300)
    for _ in range(400):
        told = damaged(chance, chance.choice(AMD)["told"])
        for gpu in amd.gpus_in(told):
            for reader in (amd.smi_sample, amd.smi_counters, amd.smi_identity):
                assert invented(gpu, reader(gpu)) == []
        cards = damaged(chance, chance.choice(ROCM)["told"])
        for card in amd.rocm_gpus(cards):
            for reader in (amd.rocm_sample, amd.rocm_counters):
                assert invented(card, reader(card)) == []


def test_json_that_is_cut_off_is_none_or_what_is_whole():
    chance = random.Random(7)
    text = json.dumps(AMD[1]["told"], indent=1)
    for _ in range(300):
        cut = text[: chance.randrange(len(text))]
        for gpu in amd.gpus_in(readings.json_in(cut)):
            assert invented(cut, amd.smi_sample(gpu)) == []
