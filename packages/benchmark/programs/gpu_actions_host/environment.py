"""`environment`: what this host is, as far as it can be read at once. What cannot be read is None, never a guess."""

import argparse
import ctypes
import glob
import os
import platform
import re
import sys
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host import instance
from gpu_actions_host.events import line
from gpu_actions_host.readings import number

# Variables that change which kernels run, or how fast. Values of other variables are never read: they may be secret.
FLAG_PREFIXES = (
    "TORCH_", "PYTORCH_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_TF32", "NVIDIA_VISIBLE", "NCCL_", "MIOPEN_", "HIP_",
    "HSA_", "ROCR_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_",
)  # fmt: skip

# `… Kernel Module  535.54.03  …`, and of the open driver `… Open Kernel Module for x86_64  560.35.03  …`.
KERNEL_MODULE = r"Kernel Module(?: for \S+)?\s+(\d+\.\d[\d.]*)"


def collect(commit: Optional[str] = None) -> Dict[str, Any]:
    """Everything, JSON-ready. Imports torch; without torch its part is None. `commit`: as the caller names it."""
    torch = torch_module()
    return {
        "os": os_name(),
        "kernel": platform.release() or None,
        "machine": platform.machine() or None,
        "cpu": cpu(),
        "memory_bytes": memory_bytes(),
        "numa": numa(),
        "uptime_seconds": uptime_seconds(),
        "clock": clock(),
        "container": container(),
        "instance": instance.identity(),
        "commit": commit,
        "python": {"version": platform.python_version(), "executable": sys.executable or None},
        "torch": None if torch is None else torch_build(torch),
        "gpu": None if torch is None else gpu(torch),
        "driver": driver(),
        "gpus": instance.gpus_hashed(),
        "flags": {name: value for name, value in sorted(os.environ.items()) if name.startswith(FLAG_PREFIXES)},
    }


def torch_module() -> Optional[Any]:
    try:
        import torch

        return torch
    except Exception:
        return None


def text_of(path: str) -> Optional[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def first(pattern: str, text: Optional[str]) -> Optional[str]:
    found = re.search(pattern, text or "", re.MULTILINE)
    return found.group(1).strip() if found else None


def os_name() -> Optional[str]:
    named = first(r'^PRETTY_NAME="?([^"\n]*)', text_of("/etc/os-release"))
    return named or platform.system() or None


def cpu() -> Dict[str, Any]:
    """`usable`: CPUs of this process's affinity; `quota`: CPUs that its control group grants."""
    limit = (text_of("/sys/fs/cgroup/cpu.max") or "").split()
    quota = int(limit[0]) / int(limit[1]) if len(limit) == 2 and limit[0].isdigit() else None
    return {
        "model": first(r"^model name\s*:\s*(.*)$", text_of("/proc/cpuinfo")),
        "count": os.cpu_count(),
        "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "quota": quota,
        "governor": text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
    }


def memory_bytes() -> Optional[int]:
    kilobytes = first(r"^MemTotal:\s*(\d+) kB", text_of("/proc/meminfo"))
    return int(kilobytes) * 1024 if kilobytes else None


def numa() -> Optional[Dict[str, Any]]:
    """`balancing`: whether the kernel moves memory between nodes by itself, which costs GPU runs speed."""
    nodes = glob.glob("/sys/devices/system/node/node[0-9]*")
    balancing = text_of("/proc/sys/kernel/numa_balancing")
    return {"nodes": len(nodes), "balancing": None if balancing is None else balancing != "0"} if nodes else None


def uptime_seconds() -> Optional[float]:
    return number((text_of("/proc/uptime") or "").partition(" ")[0])


class Timex(ctypes.Structure):
    """The start of the kernel's struct timex on 64 bits; the rest is not read."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("maximum_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    ]


UNSYNCHRONIZED, NANOSECONDS = 0x0040, 0x2000


def clock() -> Optional[Dict[str, Any]]:
    """What the kernel knows of its clock's error from whoever keeps it (chrony, ntpd); None where it does not tell."""
    if sys.platform != "linux" or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    told = Timex(modes=0)
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(told))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    synchronized = not told.status & UNSYNCHRONIZED
    offset = told.offset / (1e9 if told.status & NANOSECONDS else 1e6)
    return {
        "synchronized": synchronized,
        "offset_seconds": round(offset, 9) if synchronized else None,
        "maximum_error_seconds": round(told.maximum_error / 1e6, 6) if synchronized else None,
    }


def container() -> Optional[Dict[str, Any]]:
    """The kind of container that this process hints to be in; None: no hint. Of the engines only podman tells its image
    inside, and only privileged ones: the digest is what the caller of the container knows."""
    kind: Optional[str] = None
    if os.path.exists("/.dockerenv"):
        kind = "docker"
    elif os.path.exists("/run/.containerenv"):
        kind = "podman"
    else:
        kind = first(r"(docker|kubepods|containerd|lxc)", text_of("/proc/1/cgroup"))
    if kind is None:
        return None
    digest = first(r'^imageid="?(?:sha256:)?([0-9a-f]{64})"?$', text_of("/run/.containerenv"))
    return {"kind": kind, "digest": None if digest is None else "sha256:" + digest}


def torch_build(torch: Any) -> Dict[str, Any]:
    """`cuda` and `hip` say what torch was built with, not that there is a GPU."""
    available = torch.cuda.is_available()
    is_rocm = getattr(torch.version, "hip", None) is not None
    # On ROCm PyTorch answers with the version of MIOpen.
    kernels = torch.backends.cudnn.version() if available else None
    return {
        "version": str(torch.__version__),
        "git_version": getattr(torch.version, "git_version", None),
        "cuda": getattr(torch.version, "cuda", None),
        "hip": getattr(torch.version, "hip", None),
        "cudnn": None if is_rocm else kernels,
        "miopen": kernels if is_rocm else None,
        "nccl": nccl_version(torch) if available else None,
        "triton": triton_version(),
        "build": built_with(torch),
    }


def nccl_version(torch: Any) -> Optional[str]:
    try:
        return ".".join(str(part) for part in torch.cuda.nccl.version())
    except Exception:
        return None


def triton_version() -> Optional[str]:
    """Without loading it."""
    try:
        from importlib.metadata import version

        return version("triton")
    except Exception:
        return None


def built_with(torch: Any) -> Optional[str]:
    """How PyTorch was built, on one line: its compiler, libraries and switches."""
    try:
        return re.sub(r"\s+", " ", str(torch.__config__.show())).strip()[:4000] or None
    except Exception:
        return None


def gpu(torch: Any) -> Optional[Dict[str, Any]]:
    """The GPUs that torch can use; None where it can use none."""
    if not torch.cuda.is_available():
        return None
    devices: List[Dict[str, Any]] = []
    for index in range(torch.cuda.device_count()):
        found = torch.cuda.get_device_properties(index)
        devices.append(
            {
                "name": found.name,
                "memory_bytes": found.total_memory,
                "capability": f"{found.major}.{found.minor}",
                "multiprocessors": found.multi_processor_count,
            }
        )
    return {"count": len(devices), "name": devices[0]["name"], "devices": devices}


def driver() -> Optional[Dict[str, Any]]:
    """What the GPU's driver says of itself and of the first GPU; None without a driver."""
    nvidia = text_of("/proc/driver/nvidia/version")
    amd = text_of("/sys/module/amdgpu/version")
    if nvidia is None and amd is None and not glob.glob("/dev/nvidia[0-9]*"):
        return None
    told: Dict[str, Any] = (instance.gpus() or [{}])[0]
    # amd-smi tells the version of the kernel in its place.
    by_tool = told.get("driver") if nvidia is not None or amd is None else None
    return {
        "version": by_tool or first(KERNEL_MODULE, nvidia) or amd,
        "power_limit_watts": told.get("power_limit_watts"),
        "ecc": told.get("ecc"),
        "mig": told.get("mig"),
        "vbios": told.get("vbios"),
    }


def main(given: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="programs.pyz environment", description=__doc__)
    parser.add_argument("--commit", help="what is measured, for the record")
    print(line(dict(event="environment", **collect(parser.parse_args(list(given)).commit))), flush=True)
    return 0
