"""The rules of the preflight (protocol 9.2): each turns what was read into one check. Pure. A check that could not read
what it needs is skipped, never passed."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from gpu_actions_host import kernel_log, references
from gpu_actions_host.references import AZURE, Reference

GCM = "Meta GCM @1b7bde97"
NVIDIA = "NVIDIA deploy guides: A100 memory error management, Xid errors"
OWN = "rule of this project"
# Corrected errors of a whole driver's life: Azure's lines.
SRAM_CORRECTED = 10_000
DRAM_CORRECTED = 20_000_000
MIB = 2**20
IDLE_BYTES = 500 * MIB


class Check(NamedTuple):
    """`signal`: what was read, in words; None when nothing was. `gpu`: None for the whole host."""

    name: str
    status: str
    reason: str
    signal: Optional[str] = None
    threshold: Optional[str] = None
    source: Optional[str] = None
    gpu: Optional[int] = None


def skipped(name: str, reason: str, gpu: Optional[int] = None) -> Check:
    return Check(name, "skipped", reason, gpu=gpu)


def worse(statuses: Sequence[str]) -> str:
    """Of all checks together; `skipped` when none could run."""
    return next((one for one in ("fail", "warn", "pass") if one in statuses), "skipped")


def gpus_there(found: Dict[str, Any], names: List[str], instance_type: Optional[str]) -> Check:
    """`found`: what gpu_check told; `names`: of the GPUs that PyTorch sees."""
    name, wanted = "gpus", references.expected(instance_type)
    signal = f"{len(names)}: {', '.join(sorted(set(names)))}"
    if not names:
        signal = f"none; the driver says: {found['name'] or 'no library'}"
        return Check(name, "fail", "No GPU can be used", signal, "at least one", OWN)
    if wanted is None:
        return Check(name, "pass", "There are GPUs; how many there should be is not known", signal, "at least one", OWN)
    threshold = f"{wanted[1]} × {wanted[0]} ({instance_type})"
    fits = len(names) == wanted[1] and references.named(wanted[0], names)
    reason = "The GPUs are those of the instance type" if fits else "The GPUs are not those of the instance type"
    return Check(name, "pass" if fits else "fail", reason, signal, threshold, references.INSTANCES_SOURCE)


# What nvmlInit answers when the kernel's module and the library are of different versions (nvml.h).
MISMATCH = 18


def driver_versions(code: Optional[int], kernel: Optional[str], library: Optional[str]) -> Check:
    name, threshold = "driver-and-library", "one version"
    signal = f"kernel {kernel or 'not known'}, library {library or 'not known'}"
    if code == MISMATCH:
        return Check(name, "fail", "The driver and its library differ: restart the host", signal, threshold, NVIDIA)
    if code is None:
        return skipped(name, "There is no NVIDIA driver")
    if code != 0 or kernel is None or library is None:
        return skipped(name, "The driver's versions could not be read")
    if library.endswith(kernel) or kernel.startswith(library):
        return Check(name, "pass", "The driver and its library are of one version", signal, threshold, NVIDIA)
    return Check(name, "fail", "The driver and its library are of different versions", signal, threshold, NVIDIA)


def idle(gpu: int, sample: Dict[str, Any]) -> Check:
    """Before this program has touched the GPU."""
    memory, busy = sample.get("memory_used_bytes"), sample.get("utilization")
    if memory is None and busy is None:
        return skipped("idle", "Neither memory in use nor utilisation can be read", gpu)
    is_idle = (memory or 0) < IDLE_BYTES and (busy or 0) == 0
    in_use = "memory in use not known" if memory is None else f"{round(memory / MIB)} MiB in use"
    signal = f"{in_use}, {'utilisation not known' if busy is None else f'{busy:g} %'}"
    reason = "Nothing runs on the GPU" if is_idle else "The GPU is in use"
    return Check("idle", "pass" if is_idle else "warn", reason, signal, "below 500 MiB, 0 %", GCM, gpu)


def foreign_processes(count: Optional[int]) -> Check:
    name, threshold = "foreign-processes", "none"
    if count is None:
        return skipped(name, "The processes on the GPUs cannot be told from here")
    reason = "No other process computes on a GPU" if count == 0 else "Other processes compute on a GPU"
    return Check(name, "pass" if count == 0 else "fail", reason, str(count), threshold, GCM)


def uncorrected(gpu: int, counters: Dict[str, Any]) -> Check:
    name, count = "ecc-uncorrected", counters.get("ecc_uncorrected")
    if count is None:
        return skipped(name, "Uncorrected memory errors are not counted here", gpu)
    reason = "No memory error went uncorrected" if count == 0 else "Memory errors went uncorrected"
    return Check(name, "pass" if count == 0 else "fail", reason, str(count), "0", AZURE, gpu)


def corrected(gpu: int, counters: Dict[str, Any]) -> Check:
    name = "ecc-corrected"
    sram, dram, all_of = (counters.get("ecc_corrected" + part) for part in ("_sram", "_dram", ""))
    if sram is None and dram is None and all_of is None:
        return skipped(name, "Corrected memory errors are not counted here", gpu)
    threshold = f"SRAM {SRAM_CORRECTED:,}, DRAM {DRAM_CORRECTED:,}"
    if sram is None and dram is None:
        dram, signal = all_of, f"{all_of} in all"
    else:
        signal = f"SRAM {'?' if sram is None else sram}, DRAM {'?' if dram is None else dram}"
    if (dram or 0) > DRAM_CORRECTED:
        return Check(name, "fail", "Far too many memory errors had to be corrected", signal, threshold, AZURE, gpu)
    if (sram or 0) > SRAM_CORRECTED:
        return Check(name, "warn", "Many memory errors had to be corrected", signal, threshold, AZURE, gpu)
    return Check(name, "pass", "Few or no memory errors had to be corrected", signal, threshold, AZURE, gpu)


def remapped(gpu: int, counters: Dict[str, Any]) -> Check:
    name, threshold = "row-remapping", "none pending, none failed"
    pending, failed = counters.get("remap_pending"), counters.get("remap_failed")
    if pending is None and failed is None:
        return skipped(name, "This GPU does not tell of remapped rows", gpu)
    rows = (counters.get("rows_remapped_corrected") or 0) + (counters.get("rows_remapped_uncorrected") or 0)
    signal = f"{rows} rows, pending {pending}, failed {failed}"
    if pending or failed:
        reason = "A row could not be remapped" if failed else "A row waits to be remapped: reset the GPU"
        return Check(name, "fail", reason, signal, threshold, AZURE, gpu)
    reason = "Rows were remapped" if rows > 0 else "No row was remapped"
    return Check(name, "warn" if rows > 0 else "pass", reason, signal, threshold, AZURE, gpu)


def retired(gpu: int, counters: Dict[str, Any]) -> Check:
    name, threshold = "retired-pages", "at most 10, none pending"
    single, double = counters.get("pages_retired_single"), counters.get("pages_retired_double")
    pending = counters.get("pages_pending")
    if single is None and double is None:
        return skipped(name, "This GPU retires no pages, or does not tell", gpu)
    pages = (single or 0) + (double or 0)
    signal = f"{pages} pages, pending {pending}"
    if pages > 10 or pending:
        return Check(name, "fail", "Too many pages are retired, or one waits to be", signal, threshold, GCM, gpu)
    reason = "Pages of memory are retired" if pages > 0 else "No page of memory is retired"
    return Check(name, "warn" if pages > 0 else "pass", reason, signal, threshold, GCM, gpu)


def xids(found: Optional[List[kernel_log.Xid]]) -> Check:
    name, threshold = "xid", "none since boot"
    if found is None:
        return skipped(name, "This user may not read the kernel's log")
    codes = sorted({xid.code for xid in found})
    if not codes:
        return Check(name, "pass", "The driver has reported no error", "none", threshold, AZURE)
    status = worse([kernel_log.severity(code) for code in codes])
    reason = "The driver has reported errors" if status == "fail" else "The driver has reported errors of programs"
    return Check(name, status, reason, "Xid " + ", ".join(map(str, codes)), threshold, AZURE)


def headroom(gpu: int, degrees: Optional[float]) -> Check:
    """Degrees to where the GPU slows down."""
    name, threshold = "thermal-headroom", "at least 10 °C"
    if degrees is None:
        return skipped(name, "How far the GPU is from its thermal limit cannot be read", gpu)
    status = "pass" if degrees >= 10 else "warn" if degrees >= 3 else "fail"
    reason = "The GPU is cool enough" if status == "pass" else "The GPU is close to its thermal limit"
    return Check(name, status, reason, f"{degrees:g} °C", threshold, OWN, gpu)


def pcie(gpu: int, model: str, sample: Dict[str, Any], identity: Dict[str, Any]) -> Check:
    """Under load: idle links go down to generation 1."""
    name = "pcie-under-load"
    now = (sample.get("pcie_generation"), sample.get("pcie_width"))
    most = (identity.get("pcie_generation_max"), identity.get("pcie_width_max"))
    if None in now or None in most:
        return skipped(name, "Generation and width of the link cannot be read", gpu)
    signal, threshold = "gen {} x{}".format(*now), "gen {} x{}".format(*most)
    lanes = most[1]
    if references.plain(model) in references.EIGHT_LANES:
        lanes = min(8, most[1])
    if now[1] < lanes:
        return Check(name, "fail", "The link has lost lanes", signal, threshold, OWN, gpu)
    status = "pass" if now[0] >= most[0] else "warn"
    reason = "The link is as quick as it can be" if status == "pass" else "The link is of a lower generation"
    return Check(name, status, reason, signal, threshold, OWN, gpu)


def throttled(gpu: int, microseconds: Optional[Dict[str, Any]], seconds: float) -> Check:
    """While the preflight's own load ran."""
    name, threshold = "throttling", "hardware below 0.1 %, heat below 1 %"
    known = {reason: value for reason, value in (microseconds or {}).items() if value is not None}
    if not known or seconds <= 0:
        return skipped(name, "This driver does not count for how long it held clocks back", gpu)
    shares = {reason: value / (seconds * 1e6) for reason, value in known.items()}
    hardware = max(shares.get(reason, 0.0) for reason in ("hardware_slowdown", "hardware_thermal", "power_brake"))
    heat = shares.get("software_thermal", 0.0)
    signal = ", ".join(f"{reason} {100 * share:.2g} %" for reason, share in sorted(shares.items()))
    if hardware > 0.001 or heat > 0.01:
        return Check(name, "fail", "The GPU holds its clocks back", signal, threshold, OWN, gpu)
    status = "warn" if heat > 0 else "pass"
    reason = "The GPU was held back by heat for a moment" if heat > 0 else "The GPU keeps its clocks"
    return Check(name, status, reason, signal, threshold, OWN, gpu)


def speed(
    name: str, gpu: int, measured: Optional[float], unit: str, scale: float, wanted: Optional[Reference]
) -> Check:
    """A figure against what healthy GPUs of its kind reach."""
    if measured is None:
        return skipped(name, "It could not be measured", gpu)
    signal = f"{measured / scale:.4g} {unit}"
    if wanted is None:
        return Check(name, "skipped", "No reference for this GPU: measured, and not judged", signal, gpu=gpu)
    share = measured / wanted.value
    status = "pass" if share >= wanted.good else "warn" if share >= wanted.poor else "fail"
    threshold = f"{wanted.good:g} × {wanted.value / scale:.4g} {unit}"
    return Check(name, status, f"{100 * share:.0f} % of the reference", signal, threshold, wanted.source, gpu)


def host_to_device(gpu: int, measured: Optional[float], generation: Optional[int], width: Optional[int]) -> Check:
    name = "host-to-device"
    if measured is None:
        return skipped(name, "It could not be measured", gpu)
    signal = f"{measured / 1e9:.3g} GB/s"
    line = references.HOST_TO_DEVICE.get(generation or 0)
    if line is None or width not in (8, 16):
        return Check(name, "skipped", "No line for this link: measured, and not judged", signal, gpu=gpu)
    line = line * width / 16
    status = "pass" if measured >= line else "warn" if measured >= line * references.NEARLY else "fail"
    reason = "The host feeds the GPU quickly enough" if status == "pass" else "The host feeds the GPU too slowly"
    return Check(name, status, reason, signal, f"{line / 1e9:g} GB/s (gen {generation} x{width})", AZURE, gpu)


def numbers(gpu: Optional[int], told: Dict[str, Any]) -> Check:
    """`told`: of the numeric self-test."""
    name, threshold = "numbers", f"equal bit by bit, and within {told['tolerance']:g} of the CPU's"
    signal = f"{told['repeats']} repeats, {told['different']} different; largest error {told['error']:.2g}"
    if told["different"] > 0:
        return Check(name, "fail", "Equal computations gave different numbers", signal, threshold, OWN, gpu)
    if not told["error"] <= told["tolerance"]:
        return Check(name, "fail", "The numbers are wrong", signal, threshold, OWN, gpu)
    return Check(name, "pass", "Equal computations give equal numbers, and the right ones", signal, threshold, OWN, gpu)
