"""What is measured: one step of ResNet-50 on a batch of random data that stays on the device."""

import contextlib
import time
from typing import Any, NamedTuple, Optional, Tuple

from gpu_actions_host.devices import Device, torch
from gpu_actions_host.model import CLASSES, resnet50
from gpu_actions_host.precisions import Precision

MOMENTUM = 0.9


class Shape(NamedTuple):
    """`batch_size`: images of one GPU. `compile`: the backend of torch.compile; None: eager."""

    mode: str
    batch_size: int
    image_size: int
    memory_format: str
    learning_rate: float
    compile: Optional[str]


def sgd(parameters: Any, rate: float, device: Device) -> Tuple[Any, str]:
    """The fastest SGD that this PyTorch has for the device, and which that is.

    fused: one kernel for everything (PyTorch 2.3 on a GPU, later on a CPU); foreach: one for each operation.
    """
    held = list(parameters)
    for kind in ("fused", "foreach") if device.is_gpu else ("fused",):
        with contextlib.suppress(TypeError, RuntimeError):
            return torch.optim.SGD(held, lr=rate, momentum=MOMENTUM, **{kind: True}), kind
    return torch.optim.SGD(held, lr=rate, momentum=MOMENTUM), "single-tensor"


class Workload:
    """Model, optimizer and one batch, all on the device. `ranks.join` ties the model to those of other ranks."""

    def __init__(self, shape: Shape, precision: Precision, device: Device, ranks: Any) -> None:
        layout = torch.channels_last if shape.memory_format == "channels_last" else torch.contiguous_format
        self.training = shape.mode == "train"
        self.precision = precision
        self.device_type = device.torch.type
        self.model = resnet50().to(device.torch).to(memory_format=layout).train(self.training)
        self.parameters = sum(parameter.numel() for parameter in self.model.parameters())
        size = (shape.batch_size, 3, shape.image_size, shape.image_size)
        self.images = torch.empty(size, device=device.torch).contiguous(memory_format=layout)
        self.labels = torch.empty(shape.batch_size, dtype=torch.long, device=device.torch)
        self.loss = torch.nn.CrossEntropyLoss()
        # A scaled gradient times a rate divided by the scale is the same step: momentum is linear in both.
        rate = shape.learning_rate / precision.loss_scale
        self.optimizer, kind = sgd(self.model.parameters(), rate, device)
        self.optimizer_kind = kind if self.training else None
        if not self.training and precision.dtype is not None:
            self.model.to(dtype=precision.dtype)
            self.images = self.images.to(dtype=precision.dtype)
        # What a step calls; self.model stays the plain one.
        self.forward = ranks.join(self.model, device) if self.training else self.model
        if shape.compile is not None:
            # A part of the model that is left out of the graph would be measured as if it were compiled. Across ranks
            # the graph is split on purpose, so that gradients travel while others are still computed.
            self.forward = torch.compile(self.forward, backend=shape.compile, fullgraph=ranks.size == 1, dynamic=False)
        self.refresh()

    def refresh(self) -> None:
        """New random data in the same memory. Never in the timed part.

        Normal values, because constant ones draw less power and run faster; new ones for each block, because
        gradients fade once a batch is learned by heart.
        """
        self.images.normal_()
        self.labels.random_(0, CLASSES)

    def step(self) -> Optional[Any]:
        """Queues one step. Returns the loss as a tensor on the device (reading it would wait); None for inference."""
        return self._train() if self.training else self._infer()

    def _train(self) -> Any:
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            loss = self.loss(self.forward(self.images), self.labels)
        (loss if self.precision.loss_scale == 1 else loss * self.precision.loss_scale).backward()
        self.optimizer.step()
        return loss.detach()

    def _infer(self) -> None:
        with torch.inference_mode():
            self.forward(self.images)

    def _autocast(self) -> Any:
        if self.precision.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device_type, dtype=self.precision.dtype)


class Slowed:
    """A workload whose steps take longer by a share of themselves, for tests of what compares runs.

    It waits for the device in each step: on a GPU the loss is a little more than was asked for.
    """

    def __init__(self, workload: Workload, share: float, device: Device) -> None:
        self.workload = workload
        self.share = share
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self.workload, name)

    def step(self) -> Optional[Any]:
        started = time.perf_counter()
        loss = self.workload.step()
        self.device.synchronize()
        ended = time.perf_counter()
        while time.perf_counter() - ended < self.share * (ended - started):
            pass
        return loss
