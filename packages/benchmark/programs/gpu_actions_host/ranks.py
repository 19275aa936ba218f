"""One process for each GPU (a rank): what they do together. A run on one GPU is one rank, with nobody to wait for."""

import ctypes
import datetime
import hashlib
import inspect
import json
import os
from typing import Any, List

from gpu_actions_host.devices import Device, torch
from gpu_actions_host.faults import Fault

# Longer than any run: the ranks wait while the first measures alone, and a death ends all through torchrun.
PATIENCE = datetime.timedelta(hours=24)


class Alone:
    """The one rank of a run on one GPU."""

    index = 0
    size = 1

    def gather(self, value: Any) -> List[Any]:
        return [value]

    def agree(self, value: Any) -> Any:
        return value

    def wait(self) -> None:
        pass

    def join(self, model: Any, device: Device) -> Any:
        return model


class Ranks:
    """This process among those that torchrun has started.

    Small things go over a group of their own on the CPU (gloo), so that nothing but the training's own traffic ever
    runs on the GPUs.
    """

    def __init__(self, device: Device) -> None:
        if not torch.distributed.is_available():
            raise Fault("unsupported", "This PyTorch was built without its distributed part: it measures one GPU only")
        self.index = int(os.environ["RANK"])
        self.size = int(os.environ["WORLD_SIZE"])
        torch.distributed.init_process_group("nccl" if device.is_gpu else "gloo", timeout=PATIENCE)
        self.control = torch.distributed.new_group(backend="gloo", timeout=PATIENCE)

    def gather(self, value: Any) -> List[Any]:
        """Everybody's value (JSON can say it), in the order of the ranks."""
        mine = json.dumps(value).encode("ascii")
        sizes = self._gather(torch.tensor([len(mine)]))
        longest = max(int(size) for size in sizes)
        texts = self._gather(torch.tensor(list(mine.ljust(longest)), dtype=torch.uint8))
        return [json.loads(bytes(text.tolist())) for text in texts]

    def _gather(self, mine: Any) -> List[Any]:
        # Not all_gather_object: that needs NumPy.
        found = [torch.empty_like(mine) for _ in range(self.size)]
        torch.distributed.all_gather(found, mine, group=self.control)
        return found

    def agree(self, value: Any) -> Any:
        """The first rank's value: all ranks must do the same steps."""
        return self.gather(value)[0]

    def wait(self) -> None:
        torch.distributed.barrier(group=self.control)

    def join(self, model: Any, device: Device) -> Any:
        """The model with its gradients averaged over the ranks. Running statistics stay each rank's own: training does
        not read them, and a broadcast in each step would be measured with it."""
        parallel = torch.nn.parallel.DistributedDataParallel
        named = inspect.signature(parallel).parameters
        # PyTorch 2.15 has given the option a new name.
        option = "forward_sync_buffers" if "forward_sync_buffers" in named else "broadcast_buffers"
        return parallel(
            model,
            device_ids=[device.torch.index] if device.is_gpu else None,
            gradient_as_bucket_view=True,
            **{option: False},
        )

    def leave(self) -> None:
        torch.distributed.destroy_process_group()


def checksum(model: Any) -> str:
    """SHA-256 of all parameters, byte by byte (NumPy need not be there)."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        held = parameter.detach().to("cpu").contiguous()
        digest.update(ctypes.string_at(held.data_ptr(), held.numel() * held.element_size()))
    return digest.hexdigest()
