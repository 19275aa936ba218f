"""Chooses the program, and turns every failure into one error event and an exit code."""

import signal
import sys
import traceback
import warnings
from typing import Any, Callable, Dict, Sequence

from gpu_actions_host import environment, gpu_check, paired, resnet50
from gpu_actions_host.events import tell_error
from gpu_actions_host.faults import EXIT_CODES, Fault, Interrupted


def rank(given: Sequence[str]) -> int:
    from gpu_actions_host import launching

    return launching.rank_main(given)


def stepper(given: Sequence[str]) -> int:
    from gpu_actions_host import stepper

    return stepper.main(given)


def telemetry(given: Sequence[str]) -> int:
    from gpu_actions_host import telemetry

    return telemetry.main(given)


def preflight(given: Sequence[str]) -> int:
    from gpu_actions_host import preflight

    return preflight.main(given)


PROGRAMS: Dict[str, Callable[[Sequence[str]], int]] = {
    "resnet50": resnet50.main,
    "environment": environment.main,
    "gpu-check": gpu_check.main,
    "paired": paired.main,
    "telemetry": telemetry,
    "preflight": preflight,
    # Processes that resnet50 and paired start.
    "rank": rank,
    "stepper": stepper,
}
# Words in the messages of errors that come from a GPU's driver or libraries.
DEVICE_WORDS = ("CUDA", "cuDNN", "CUDNN", "HIP", "MIOpen")


def interrupt(number: int, _: Any) -> None:
    raise Interrupted(signal.Signals(number).name)


def main(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] not in PROGRAMS:
        print("usage: programs.pyz {} …".format("|".join(PROGRAMS)), file=sys.stderr)
        return EXIT_CODES["arguments"]
    # Nothing here uses NumPy, so torch need not complain that it is not there.
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    name, rest = arguments[0], list(arguments[1:])
    try:
        return PROGRAMS[name](rest)
    except Fault as fault:
        tell_error(fault.kind, fault.message, fault.faults)
        # The reference's program ends with 1 for every failure.
        return 1 if "--compatible" in rest else fault.exit_code
    except Interrupted as reason:
        tell_error("interrupted", f"Ended by {reason}")
        return EXIT_CODES["interrupted"]
    except Exception as error:
        traceback.print_exc()
        kind = "device" if any(word in str(error) for word in DEVICE_WORDS) else "internal"
        tell_error(kind, f"{type(error).__name__}: {error}")
        return EXIT_CODES[kind]
