"""NVML's calls, against a library that the test builds in the forms of nvml.h."""

import shutil
import subprocess

import pytest
from gpu_actions_host import nvml

SOURCE = """
#include <string.h>
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
static int devices[2] = { 0, 1 };
#define KNOWN(device) if (*(int *)(device) != 0) return 3 /* not supported */
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetNVMLVersion(char *text, unsigned size) { strncpy(text, "13.590.48.01", size); return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { *device = &devices[index]; return 0; }
int nvmlDeviceGetUtilizationRates(void *d, utilization *u) { KNOWN(d); u->gpu = 97; u->memory = 40; return 0; }
int nvmlDeviceGetMemoryInfo(void *d, memory *m) {
  KNOWN(d); m->total = 24ULL << 30; m->free = 4ULL << 30; m->used = 20ULL << 30; return 0;
}
int nvmlDeviceGetPowerUsage(void *d, unsigned *mw) { KNOWN(d); *mw = 287400; return 0; }
int nvmlDeviceGetTemperature(void *d, int sensor, unsigned *c) { *c = sensor == 0 ? 62 : 1; return 0; }
int nvmlDeviceGetClockInfo(void *d, int type, unsigned *mhz) { KNOWN(d); *mhz = type == 1 ? 1710 : 6251; return 0; }
int nvmlDeviceGetCurrPcieLinkGeneration(void *d, unsigned *g) { KNOWN(d); *g = 4; return 0; }
int nvmlDeviceGetCurrPcieLinkWidth(void *d, unsigned *w) { KNOWN(d); *w = 8; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *m) { KNOWN(d); *m = 0x41; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *mj) { KNOWN(d); *mj = 9000000000000ULL; return 0; }
"""
compiler = shutil.which("cc")
pytestmark = pytest.mark.skipif(compiler is None, reason="no C compiler here")


def build(folder, init):
    source, library = folder / "nvml.c", folder / f"libnvml-{init}.so"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-shared", "-fPIC", f"-DINIT={init}", "-o", library, source], check=True)
    return str(library)


def test_a_gpu_is_read_whole_and_what_one_does_not_support_is_null(tmp_path):
    opened = nvml.Nvml(build(tmp_path, 0))
    first, second = opened.samples()
    assert first == {
        "index": 0, "utilization": 97, "memory_used_bytes": 20 * 2**30, "power_watts": 287.4, "temperature_celsius": 62,
        "sm_clock_mhz": 1710, "memory_clock_mhz": 6251, "pcie_generation": 4, "pcie_width": 8,
        "throttle_reasons": ["hardware_thermal"],
    }  # fmt: skip
    assert {name for name, value in second.items() if value is not None} == {"index", "temperature_celsius"}
    # Far beyond 32 bits.
    assert opened.energies() == {0: 9_000_000_000_000, 1: None}
    opened.close()


def test_a_library_that_does_not_start_is_no_source(tmp_path):
    library = build(tmp_path, 18)
    with pytest.raises(OSError, match="does not start"):
        nvml.Nvml(library)
    assert nvml.version(library) == (18, None)


def test_the_librarys_version_is_the_drivers(tmp_path):
    assert nvml.version(build(tmp_path, 0)) == (0, "590.48.01")
    assert nvml.driver_in("590.48.01") == "590.48.01"
    assert nvml.version("libno-such-library.so") == (None, None)
