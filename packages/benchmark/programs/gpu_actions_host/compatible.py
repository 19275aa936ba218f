"""The reference's protocol, kept so that its figures can be compared and its agents can run this program.

train_resnet50.py: torch's defaults (convolutions in "fp32" do use TF32), new random images on the device each step,
5 warm-up steps, one synchronisation before and after the timed loop, and `radix_metrics` as the last line.
"""

import time
from typing import Any

from gpu_actions_host import precisions
from gpu_actions_host.arguments import Arguments
from gpu_actions_host.devices import Device, torch
from gpu_actions_host.events import emit, line
from gpu_actions_host.model import CLASSES, resnet50
from gpu_actions_host.workload import MOMENTUM

WARMUP_STEPS = 5


def run(asked: Arguments, device: Device) -> int:
    if asked.seed is not None:
        torch.manual_seed(asked.seed)
    fixed = {"precision": "fp32", "memory_format": "contiguous", "warmup_steps": WARMUP_STEPS, "mode": "train"}
    emit("plan", asked=dict(asked._asdict(), **fixed), flags=precisions.flags())
    model = resnet50().to(device.torch).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=asked.learning_rate, momentum=MOMENTUM)
    loss = torch.nn.CrossEntropyLoss()

    def step() -> Any:
        size = (asked.batch_size, 3, asked.image_size, asked.image_size)
        images = torch.randn(size, device=device.torch)
        labels = torch.randint(0, CLASSES, (asked.batch_size,), device=device.torch)
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        optimizer.step()

    for _ in range(WARMUP_STEPS):
        step()
    device.synchronize()
    started = time.perf_counter()
    for _ in range(asked.epochs * asked.steps_per_epoch):
        step()
    device.synchronize()
    elapsed = time.perf_counter() - started
    images = asked.batch_size * asked.steps_per_epoch * asked.epochs
    print(f"Throughput: {images / elapsed:.2f} images/sec", flush=True)
    metrics = {
        "images_per_second": round(images / elapsed, 3),
        "total_images": images,
        "elapsed_seconds": round(elapsed, 3),
        "lr": asked.learning_rate,
        "batch_size": asked.batch_size,
        "epochs": asked.epochs,
        "steps_per_epoch": asked.steps_per_epoch,
    }
    print(line({"radix_metrics": metrics}), flush=True)
    return 0
