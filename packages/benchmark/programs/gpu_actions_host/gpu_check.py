"""`gpu-check`: is every NVIDIA GPU usable? Asks the driver itself through ctypes; needs no torch.

cuInit answers 802 (system not ready) while the fabric manager of an 8-GPU host starts: being patient with that is
the caller's part.
"""

import argparse
import ctypes
from typing import Any, Dict, Optional, Sequence

from gpu_actions_host.events import line

LIBRARY = "libcuda.so.1"


def check(expected: Optional[int] = None, library: str = LIBRARY) -> Dict[str, Any]:
    """`ok`, the driver's `code` with its `name` (None without a driver library), `count` and `names` of the GPUs.

    ok: cuInit answered 0 and the count is the expected one, or at least 1 where none is given.
    """
    try:
        cuda = ctypes.CDLL(library)
    except OSError:
        return {"ok": False, "code": None, "name": None, "count": 0, "names": []}
    code = int(cuda.cuInit(0))
    count = ctypes.c_int(0)
    if code == 0:
        code = int(cuda.cuDeviceGetCount(ctypes.byref(count)))
    names = [name_of(cuda, index) for index in range(count.value)]
    right = count.value >= 1 if expected is None else count.value == expected
    return {
        "ok": code == 0 and right,
        "code": code,
        "name": error_name(cuda, code),
        "count": count.value,
        "names": names,
    }


def error_name(cuda: Any, code: int) -> Optional[str]:
    text = ctypes.c_char_p()
    cuda.cuGetErrorName(code, ctypes.byref(text))
    return text.value.decode("ascii", "replace") if text.value else None


def name_of(cuda: Any, index: int) -> Optional[str]:
    device, buffer = ctypes.c_int(0), ctypes.create_string_buffer(256)
    if cuda.cuDeviceGet(ctypes.byref(device), index) != 0:
        return None
    if cuda.cuDeviceGetName(buffer, len(buffer), device) != 0:
        return None
    return buffer.value.decode("utf-8", "replace")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="programs.pyz gpu-check", description=__doc__)
    parser.add_argument("--count", type=int, help="number of GPUs there must be")
    found = check(parser.parse_args(list(arguments)).count)
    print(line(found), flush=True)
    return 0 if found["ok"] else 1
