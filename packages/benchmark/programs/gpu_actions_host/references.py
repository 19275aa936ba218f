"""What healthy GPUs reach, as data. Written down on 2026-11-27; each figure has its source. An unknown GPU is measured
and not judged. All of them are to be calibrated anew from the first clean runs."""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

DCGM = "NVIDIA DCGM 4.6 diag-skus @72fa3fea: its pass line is 0.75 of this"
ML_ENGINEERING = "stas00/ml-engineering @744d01e, attainable matmul"
RVS = "ROCmValidationSuite @21584e14: its pass line is 0.95 of this"
AZURE = "Azure azurehpc-health-checks @0e0a1ac2"


class Reference(NamedTuple):
    """`good` and `poor`: below which share of the value it warns, and fails."""

    value: float
    source: str
    good: float
    poor: float


class Gpu(NamedTuple):
    """`memory`: bytes/s of a copy, read and written; `matmul`: FLOP/s in bf16; `p2p`: bytes/s between two GPUs."""

    names: Tuple[str, ...]
    memory: Optional[Reference]
    matmul: Optional[Reference]
    p2p: Optional[float]


def memory(gigabytes: float, source: str = DCGM) -> Reference:
    return Reference(gigabytes * 1e9, source, 0.95, 0.85)


def matmul(teraflops: float, source: str = ML_ENGINEERING) -> Reference:
    return Reference(teraflops * 1e12, source, 0.90, 0.80)


# Where the sources give a range, its lower end is here.
GPUS = (
    Gpu(("T4",), memory(244), None, None),
    Gpu(("A10G",), memory(484), None, None),
    Gpu(("L4",), memory(265), None, None),
    Gpu(("L40S",), memory(700), None, None),
    Gpu(("A100-SXM4-40GB",), memory(1390), matmul(271.2), 238e9),
    Gpu(("A100-SXM4-80GB",), memory(1564), matmul(271.2), 238e9),
    Gpu(("H100 80GB HBM3",), memory(2540), matmul(794.5), 335e9),
    Gpu(("H200",), None, matmul(794.5), 335e9),
    Gpu(
        ("Instinct MI300X", "Instinct MI300X OAM"),
        memory(4177, "AMD BabelStream, MI300X copy"),
        Reference(552e12, RVS, 0.95, 0.85),
        None,
    ),
)

# Bytes/s from pinned memory of the host over 16 lanes, by generation of PCIe.
HOST_TO_DEVICE = {3: 10e9, 4: 21e9, 5: 48e9}
# A line is missed by at most this much: a warning.
NEARLY = 0.95
# GPUs that are built with eight lanes, or sit on eight of them in EC2's instances.
EIGHT_LANES = ("A10G", "T4", "L4")

# What instance types have: GPU's name, and how many by size; `*` is every other size.
INSTANCES: Dict[str, Tuple[str, Dict[str, int]]] = {
    "g4dn": ("T4", {"12xlarge": 4, "metal": 8, "*": 1}),
    "g5": ("A10G", {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8, "*": 1}),
    "g6": ("L4", {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8, "*": 1}),
    "g6e": ("L40S", {"12xlarge": 4, "24xlarge": 4, "48xlarge": 8, "*": 1}),
    "p3": ("V100", {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}),
    "p3dn": ("V100", {"24xlarge": 8}),
    "p4d": ("A100", {"24xlarge": 8}),
    "p4de": ("A100", {"24xlarge": 8}),
    "p5": ("H100", {"4xlarge": 1, "48xlarge": 8}),
    "p5e": ("H200", {"48xlarge": 8}),
    "p5en": ("H200", {"48xlarge": 8}),
    "p6-b200": ("B200", {"48xlarge": 8}),
}
INSTANCES_SOURCE = "EC2 instance types, accelerated computing (docs.aws.amazon.com/ec2)"


def plain(name: str) -> str:
    """`NVIDIA A10G`, `Tesla T4` and `AMD Instinct MI300X` without their makers."""
    return re.sub(r"^(NVIDIA|Tesla|AMD)\s+", "", re.sub(r"\s+", " ", name.strip()))


def of(name: Optional[str]) -> Optional[Gpu]:
    """None for a GPU that is not in the table; a slice of one (MIG, vGPU) is another."""
    return next((gpu for gpu in GPUS if name is not None and plain(name) in gpu.names), None)


def expected(instance_type: Optional[str]) -> Optional[Tuple[str, int]]:
    """(GPU's name, how many) of an instance type; None for an unknown one."""
    family, _, size = (instance_type or "").partition(".")
    name, counts = INSTANCES.get(family, ("", {}))
    count = counts.get(size, counts.get("*"))
    return None if count is None or size == "" else (name, count)


def named(name: str, names: List[str]) -> bool:
    """Whether all GPUs are of this name, as a word of theirs."""
    return all(re.search(rf"\b{re.escape(name)}\b", one) is not None for one in names)
