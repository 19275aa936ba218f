import ast
import json
import pathlib
import shutil
import subprocess
import sys

import pytest
from conftest import PROGRAMS
from gpu_actions_host import environment, gpu_check

SOURCES = sorted(PROGRAMS.rglob("*.py"))

# A driver library with the five functions that are called, to see every answer; it stands for no GPU of ours.
DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return CODE; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, device ? "second" : "first", size); return 0; }
int cuGetErrorName(int code, const char **text) {
  *text = code ? "CUDA_ERROR_SYSTEM_NOT_READY" : "CUDA_SUCCESS";
  return 0;
}
"""
compiler = shutil.which("cc")
needs_compiler = pytest.mark.skipif(compiler is None, reason="no C compiler here")


def driver(folder, code):
    source, library = folder / "driver.c", folder / "libdriver.so"
    source.write_text(DRIVER)
    subprocess.run([compiler, "-shared", "-fPIC", f"-DCODE={code}", "-o", library, source], check=True)
    return str(library)


@pytest.mark.parametrize("source", SOURCES, ids=[path.name for path in SOURCES])
def test_the_programs_are_python_3_8(source):
    ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_the_programs_shadow_no_module_of_torch():
    assert [path.name for path in PROGRAMS.iterdir() if path.suffix == ".py"] == ["__main__.py"]


def test_the_environment_program_prints_one_line(run):
    done = run("environment")
    assert done.code == 0
    (found,) = done.events()
    assert found["event"] == "environment"
    assert found["cpu"]["count"] >= 1
    assert found["torch"]["version"]
    assert found["flags"]["OMP_NUM_THREADS"] == "1"


def test_only_flags_that_change_kernels_are_read_from_the_environment(run):
    done = run("environment", AWS_SECRET_ACCESS_KEY="canary-of-a-secret", TORCH_CUDNN_V8_API_DISABLED="1")
    assert "canary" not in done.lines[0]
    assert done.events()[0]["flags"]["TORCH_CUDNN_V8_API_DISABLED"] == "1"


def test_gpu_check_needs_no_torch(zipped):
    done = subprocess.run([sys.executable, "-I", "-S", str(zipped), "gpu-check"], stdout=subprocess.PIPE, check=False)
    found = json.loads(done.stdout)
    assert list(found) == ["ok", "code", "name", "count", "names"]
    assert done.returncode == (0 if found["ok"] else 1)


def test_without_a_driver_library_no_gpu_is_found():
    assert gpu_check.check(library="libno-such-driver.so") == {
        "ok": False,
        "code": None,
        "name": None,
        "count": 0,
        "names": [],
    }


@needs_compiler
def test_a_ready_driver_is_asked_for_count_and_names(tmp_path):
    library = driver(tmp_path, 0)
    found = gpu_check.check(library=library)
    assert found == {"ok": True, "code": 0, "name": "CUDA_SUCCESS", "count": 2, "names": ["first", "second"]}
    assert gpu_check.check(expected=2, library=library)["ok"] is True
    assert gpu_check.check(expected=8, library=library)["ok"] is False


@needs_compiler
def test_a_driver_that_is_not_ready_is_said_by_its_own_code(tmp_path):
    found = gpu_check.check(library=driver(tmp_path, 802))
    assert found == {"ok": False, "code": 802, "name": "CUDA_ERROR_SYSTEM_NOT_READY", "count": 0, "names": []}


def test_an_unknown_program_is_refused(run):
    assert run("resnet152").code == 2


def test_a_file_that_is_not_there_is_none():
    assert environment.text_of(str(pathlib.Path("/no/such/file"))) is None
