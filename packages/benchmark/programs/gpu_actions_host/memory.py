"""Memory that does not suffice: the batch is halved until it does."""

import gc
from typing import Callable, Optional, TypeVar

from gpu_actions_host.events import emit
from gpu_actions_host.faults import Fault

T = TypeVar("T")
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    return any(words in str(error) for words in OUT_OF_MEMORY)


def with_smaller_batches(batch_size: int, attempt: Callable[[int], Optional[T]]) -> T:
    """Tries again with half the batch each time that `attempt` gives None."""
    while True:
        done = attempt(batch_size)
        if done is not None:
            return done
        if batch_size == 1:
            raise Fault("out-of-memory", "A single image does not fit into the memory of the device")
        emit("batch-halved", **{"from": batch_size, "to": batch_size // 2})
        batch_size //= 2


def or_out_of_memory(attempt: Callable[[int], T]) -> Callable[[int], Optional[T]]:
    """The same attempt, with None when memory ran out. Nothing of a failed attempt outlives it: its frames hold the
    tensors, and end here."""

    def tried(batch_size: int) -> Optional[T]:
        try:
            return attempt(batch_size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        release()
        return None

    return tried


def release() -> None:
    """Gives back what no tensor holds any more, and forgets the peak."""
    from gpu_actions_host.devices import torch

    gc.collect()
    torch.cuda.empty_cache()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
