"""Runs the measurement on several GPUs: one process for each, started and watched by torchrun."""

import contextlib
import functools
import json
import os
import signal
import sys
import tempfile
import time
from typing import Dict, List, NamedTuple, Optional, Sequence

from gpu_actions_host import arguments
from gpu_actions_host.devices import torch, usable_cpus
from gpu_actions_host.faults import EXIT_CODES, Fault, Interrupted
from gpu_actions_host.memory import with_smaller_batches


class Report(NamedTuple):
    """Why a rank ended. Left as a file, because only the first rank may print, and any may fail."""

    rank: int
    at: float
    kind: str
    message: str
    faults: List[str]


def count_of(asked: arguments.Arguments) -> int:
    """How many ranks there will be."""
    if not torch.cuda.is_available():
        return 1 if asked.gpus == "all" else int(asked.gpus)
    there = int(torch.cuda.device_count())
    count = there if asked.gpus == "all" else int(asked.gpus)
    if count > there:
        raise Fault("unsupported", f"{count} GPUs were asked for, and PyTorch sees {there} on this host")
    return count


def launch(asked: arguments.Arguments, count: int) -> int:
    """Runs all ranks to the end, with half the batch each time that it does not fit.

    Raises Fault with the reason of the rank that failed first.
    """
    if not torch.cuda.is_available():
        if not asked.allow_cpu:
            from gpu_actions_host import devices

            devices.choose(False)
        asked = asked.for_cpu()
    # torchrun would give each one thread.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, usable_cpus() // count)))
    if sys.platform == "linux":
        # Nothing leaves this host, whatever its name resolves to.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")

    def attempt(batch_size: int) -> Optional[bool]:
        with tempfile.TemporaryDirectory(prefix="gpu-actions-ranks.") as folder:
            failed = torchrun(count, folder, asked._replace(batch_size=batch_size))
            if failed is None:
                return True
            if failed.kind == "out-of-memory":
                return None
            raise Fault(failed.kind, f"Rank {failed.rank} of {count}: {failed.message}", failed.faults)

    with_smaller_batches(asked.batch_size, attempt)
    return 0


def torchrun(count: int, folder: str, asked: arguments.Arguments) -> Optional[Report]:
    """What `python -m torch.distributed.run` does, called here, because its exception names the rank that failed first
    and the signal; on the command line both are only text. None: every rank ended well."""
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # Names as PyTorch 1.13 has them; later ones know them, too.
    options = ["--standalone", "--max_restarts=0", f"--nproc_per_node={count}"]
    if "--local_addr" in (name for action in run.get_args_parser()._actions for name in action.option_strings):
        options.append("--local_addr=127.0.0.1")
    # The zipapp itself, or the folder that it is made of.
    program = os.path.abspath(sys.argv[0])
    try:
        run.run(run.parse_args([*options, program, "rank", folder, json.dumps(asked._asdict())]))
    except ChildFailedError as error:
        return first_failure({rank: failure.exitcode for rank, failure in error.failures.items()}, folder)
    except SignalException as error:
        raise Interrupted(signal.Signals(error.sigval).name) from error
    return None


def first_failure(exit_codes: Dict[int, int], folder: str) -> Report:
    """The failure that caused the others. A rank that was killed cannot say why, and its peers then only tell that it
    is gone: so a signal comes first, then who reported first."""
    killed = sorted(rank for rank, code in exit_codes.items() if code < 0 and -code != signal.SIGTERM)
    if killed:
        name = signal.Signals(-exit_codes[killed[0]]).name
        hint = ", most likely because the host ran out of memory" if name == "SIGKILL" else ""
        return Report(killed[0], 0.0, "rank", f"killed by {name}{hint}; the others were ended", [])
    reports = sorted(read_reports(folder), key=lambda report: report.at)
    if reports:
        return reports[0]
    rank, code = min(exit_codes.items())
    return Report(rank, 0.0, "rank", f"ended with exit code {code} and no word; the others were ended", [])


def read_reports(folder: str) -> List[Report]:
    found: List[Report] = []
    for name in sorted(os.listdir(folder)):
        with contextlib.suppress(ValueError, TypeError), open(os.path.join(folder, name), encoding="ascii") as file:
            report = Report(**json.load(file))
            if report.kind in EXIT_CODES:
                found.append(report)
    return found


def leave_report(folder: str, kind: str, message: str, faults: Sequence[str]) -> None:
    report = Report(int(os.environ["RANK"]), time.time(), kind, message, list(faults))
    with open(os.path.join(folder, f"rank-{report.rank}.json"), "w", encoding="ascii") as file:
        json.dump(report._asdict(), file)


def rank_main(given: Sequence[str]) -> int:
    """`rank FOLDER ARGUMENTS`: one of the processes that torchrun starts. Only the first one prints."""
    from gpu_actions_host import events, resnet50, watching
    from gpu_actions_host.measurement import Measurement
    from gpu_actions_host.memory import is_out_of_memory
    from gpu_actions_host.ranks import Ranks

    folder, text = given
    asked = arguments.Arguments(**json.loads(text))
    # A rank that waits for its peers inside a library must end at once when torchrun says so.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if os.environ["RANK"] != "0":
        events.silence()

    events.tell_errors_through(functools.partial(leave_report, folder))
    # All ranks are one family: torchrun's, whose process this one's parent is.
    is_watching = asked.telemetry == "on" and os.environ["RANK"] == "0"
    watch = watching.start(is_watching, os.getppid(), asked.telemetry_csv)
    try:
        device, threads = resnet50.open_device(asked, int(os.environ["LOCAL_RANK"]))
        ranks = Ranks(device)
        Measurement(asked, device, threads, ranks, watch).run()
        ranks.leave()
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise Fault("out-of-memory", str(error)) from error
        raise
    finally:
        watch.close()
    return 0
