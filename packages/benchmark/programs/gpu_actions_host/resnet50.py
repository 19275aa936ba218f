"""`resnet50`: measures training or inference of ResNet-50 on this host and prints what it measured, raw."""

import os
from typing import Any, Sequence, Tuple

from gpu_actions_host import WORKLOAD_VERSION, arguments, environment, watching
from gpu_actions_host.events import emit


def main(given: Sequence[str]) -> int:
    """Raises Fault for every reason to end without a result."""
    asked = arguments.parse(given)
    emit("start", program="resnet50", workload_version=WORKLOAD_VERSION)
    if not asked.compatible:
        settle_environment(asked)
        if asked.gpus != 1:
            from gpu_actions_host import launching

            count = launching.count_of(asked)
            if count > 1:
                return launching.launch(asked, count)
    if asked.compatible:
        from gpu_actions_host import compatible

        return compatible.run(asked, open_device(asked, 0)[0])
    # Before torch is loaded, which takes minutes on a fresh volume: a spot machine may be taken back meanwhile.
    watch = watching.start(asked.telemetry == "on", os.getpid(), asked.telemetry_csv)
    try:
        device, threads = open_device(asked, 0)
        from gpu_actions_host.measurement import Measurement
        from gpu_actions_host.ranks import Alone

        Measurement(asked, device, threads, Alone(), watch).run()
    finally:
        watch.close()
    return 0


def settle_environment(asked: arguments.Arguments) -> None:
    """What libraries read when they are loaded. The environment event shows it; what the host sets stays."""
    # Threads of GNU OpenMP that spin while they wait make steps up to 40 times longer once anything else runs on the
    # host's CPUs.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    if asked.memory_format == "channels_last" and os.path.exists("/dev/kfd"):
        # On ROCm convolutions and batch norms fall back to the other layout unless they are told.
        os.environ.setdefault("PYTORCH_MIOPEN_SUGGEST_NHWC", "1")
        os.environ.setdefault("PYTORCH_MIOPEN_SUGGEST_NHWC_BATCHNORM", "1")


def open_device(asked: arguments.Arguments, index: int) -> Tuple[Any, int]:
    """Loads torch, chooses the device and says what the host is: (device, threads)."""
    from gpu_actions_host import devices

    device = devices.choose(asked.allow_cpu, index)
    threads = devices.set_threads(asked.threads)
    emit("environment", import_seconds=devices.IMPORT_SECONDS, threads=threads, **environment.collect(asked.commit))
    return device, threads
