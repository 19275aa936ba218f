"""`environment`: what this host is, as far as it can be read at once. What cannot be read is None, never a guess."""

import glob
import os
import platform
import re
import shutil
import subprocess
import sys
from typing import Any, Dict, List, Optional, Sequence

from gpu_actions_host.events import line

# Variables that change which kernels run, or how fast. Values of other variables are never read: they may be secret.
FLAG_PREFIXES = (
    "TORCH_", "PYTORCH_", "CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_TF32", "NVIDIA_VISIBLE", "NCCL_", "MIOPEN_", "HIP_",
    "HSA_", "ROCR_", "OMP_", "GOMP_", "KMP_", "MKL_", "ONEDNN_", "DNNL_",
)  # fmt: skip
SMI_FIELDS = ("driver_version", "power.limit", "ecc.mode.current", "mig.mode.current", "vbios_version")


def collect() -> Dict[str, Any]:
    """Everything, JSON-ready. Imports torch; without torch its part is None."""
    torch = torch_module()
    return {
        "os": os_name(),
        "kernel": platform.release() or None,
        "machine": platform.machine() or None,
        "cpu": cpu(),
        "memory_bytes": memory_bytes(),
        "container": container(),
        "python": {"version": platform.python_version(), "executable": sys.executable or None},
        "torch": None if torch is None else torch_build(torch),
        "gpu": None if torch is None else gpu(torch),
        "driver": driver(),
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


def container() -> Optional[str]:
    """The kind of container that this process hints to be in; None: no hint."""
    if os.path.exists("/.dockerenv"):
        return "docker"
    if os.path.exists("/run/.containerenv"):
        return "podman"
    return first(r"(docker|kubepods|containerd|lxc)", text_of("/proc/1/cgroup"))


def torch_build(torch: Any) -> Dict[str, Any]:
    """`cuda` and `hip` say what torch was built with, not that there is a GPU."""
    available = torch.cuda.is_available()
    return {
        "version": str(torch.__version__),
        "git_version": getattr(torch.version, "git_version", None),
        "cuda": getattr(torch.version, "cuda", None),
        "hip": getattr(torch.version, "hip", None),
        "cudnn": torch.backends.cudnn.version() if available else None,
    }


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
    told = nvidia_smi(SMI_FIELDS)
    return {
        "version": told.get("driver_version") or first(r"Kernel Module\D*(\d+\.[\d.]+)", nvidia) or amd,
        "power_limit_watts": number(told.get("power.limit")),
        "ecc": told.get("ecc.mode.current"),
        "mig": told.get("mig.mode.current"),
        "vbios": told.get("vbios_version"),
    }


def nvidia_smi(fields: Sequence[str]) -> Dict[str, Optional[str]]:
    """Each field of the first GPU; None for `[N/A]` and the like. One unknown field makes the whole query fail: then
    each is asked by itself."""
    if shutil.which("nvidia-smi") is None:
        return {}
    command = ["nvidia-smi", "--query-gpu=" + ",".join(fields), "--format=csv,noheader,nounits", "--id=0"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    values = done.stdout.decode("utf-8", "replace").strip().split(", ")
    if done.returncode == 0 and len(values) == len(fields):
        return {field: None if value.startswith("[") else value for field, value in zip(fields, values)}
    if len(fields) == 1:
        return {}
    found: Dict[str, Optional[str]] = {}
    for field in fields:
        found.update(nvidia_smi([field]))
    return found


def number(text: Optional[str]) -> Optional[float]:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def main(_: Sequence[str]) -> int:
    print(line(dict(event="environment", **collect())), flush=True)
    return 0
