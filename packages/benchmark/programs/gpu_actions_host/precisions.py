"""What the precisions mean, and the flags of torch that decide what an "fp32" really is."""

from typing import Any, Dict, NamedTuple, Optional

from gpu_actions_host.devices import Device, torch
from gpu_actions_host.faults import Fault

# NVIDIA DeepLearningExamples train ResNet-50 in fp16 with a static scale of 128. A dynamic scaler would look at
# every step's gradients from the CPU, and so synchronise inside the timed part.
FP16_LOSS_SCALE = 128.0


class Precision(NamedTuple):
    """`dtype`: what autocast computes in, None for full precision."""

    name: str
    dtype: Optional[Any]
    loss_scale: float


def choose(asked: str, device: Device) -> Precision:
    """The precision of the run. Raises Fault('unsupported') for one that this device does not compute in."""
    if asked == "auto":
        asked = "fp32" if not device.is_gpu else "bf16" if device.has_bf16() else "fp16"
    why = refusal(asked, device)
    if why is not None:
        raise Fault("unsupported", f"Precision {asked} cannot be measured here: {why}")
    if asked == "bf16":
        return Precision(asked, torch.bfloat16, 1.0)
    if asked == "fp16":
        return Precision(asked, torch.float16, FP16_LOSS_SCALE)
    return Precision(asked, None, 1.0)


def refusal(name: str, device: Device) -> Optional[str]:
    here = device.name or "a CPU"
    if name == "fp16" and not device.is_gpu:
        return "torch does not train in fp16 on a CPU"
    if name == "bf16" and device.is_gpu and not device.has_bf16():
        return f"{here} has no bf16 units; it would only be emulated"
    if name == "tf32" and not (device.backend == "cuda" and device.has_bf16()):
        return f"TF32 needs an NVIDIA GPU of compute capability 8.0 or later, and this is {here}"
    return None


def apply(precision: Precision) -> None:
    """Sets the flags for the process: fp32 uses TF32 nowhere, tf32 everywhere; half precisions do not meet them.

    Shapes never change within a run, so the fastest kernels are searched for once (cudnn.benchmark).
    """
    torch.backends.cudnn.benchmark = True
    if precision.name in ("fp32", "tf32"):
        torch.backends.cuda.matmul.allow_tf32 = precision.name == "tf32"
        torch.backends.cudnn.allow_tf32 = precision.name == "tf32"


def flags() -> Dict[str, Any]:
    """The flags as torch holds them now."""
    return {
        "matmul_allow_tf32": bool(torch.backends.cuda.matmul.allow_tf32),
        "cudnn_allow_tf32": bool(torch.backends.cudnn.allow_tf32),
        "cudnn_benchmark": bool(torch.backends.cudnn.benchmark),
        "cudnn_deterministic": bool(torch.backends.cudnn.deterministic),
    }
