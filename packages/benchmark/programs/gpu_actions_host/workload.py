"""What is measured: one step of ResNet-50 on a batch of random data that stays on the device."""

import contextlib
from typing import Any, NamedTuple, Optional

from gpu_actions_host.devices import Device, torch
from gpu_actions_host.model import CLASSES, resnet50
from gpu_actions_host.precisions import Precision

MOMENTUM = 0.9


class Shape(NamedTuple):
    mode: str
    batch_size: int
    image_size: int
    memory_format: str
    learning_rate: float


class Workload:
    """Model, optimizer and one batch, all on the device."""

    def __init__(self, shape: Shape, precision: Precision, device: Device) -> None:
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
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=rate, momentum=MOMENTUM)
        if not self.training and precision.dtype is not None:
            self.model.to(dtype=precision.dtype)
            self.images = self.images.to(dtype=precision.dtype)
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
            loss = self.loss(self.model(self.images), self.labels)
        (loss if self.precision.loss_scale == 1 else loss * self.precision.loss_scale).backward()
        self.optimizer.step()
        return loss.detach()

    def _infer(self) -> None:
        with torch.inference_mode():
            self.model(self.images)

    def _autocast(self) -> Any:
        if self.precision.dtype is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device_type, dtype=self.precision.dtype)
