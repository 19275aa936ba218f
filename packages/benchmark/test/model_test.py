import time

import torch
from gpu_actions_host import arguments, model
from gpu_actions_host.devices import Device
from gpu_actions_host.measuring import Timed, learn, time_steps, together
from gpu_actions_host.precisions import Precision
from gpu_actions_host.ranks import Alone, checksum
from gpu_actions_host.workload import Shape, Slowed, Workload

CPU = Device(torch.device("cpu"), "cpu", None)
FP32 = Precision("fp32", None, 1.0)


def tiny(mode="train", precision=FP32):
    torch.manual_seed(1)
    return Workload(Shape(mode, 4, 32, "channels_last", 0.005, None), precision, CPU, Alone())


def test_the_model_has_the_published_number_of_parameters():
    assert sum(parameter.numel() for parameter in model.resnet50().parameters()) == model.PARAMETERS == 25_557_032


def test_the_stride_is_in_the_3x3_convolution():
    strided = [
        m.kernel_size for m in model.resnet50().modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)
    ]
    assert strided == [(7, 7)] + [(3, 3), (1, 1)] * 3, "first convolution; then 3 × 3 and shortcut of stages 2 to 4"


def test_images_become_a_thousand_scores():
    assert model.resnet50()(torch.randn(2, 3, 64, 64)).shape == (2, 1000)


def test_the_loss_on_a_fixed_batch_falls():
    losses = learn(tiny(), CPU, 12).losses
    assert len(losses) == 12
    assert losses[-1] < 0.7 * losses[0]


def test_a_model_that_does_not_learn_shows_it():
    workload = tiny()
    for group in workload.optimizer.param_groups:
        group["lr"] = 0.0
    losses = learn(workload, CPU, 3).losses
    assert losses[-1] > 0.9 * losses[0]


def test_a_step_of_several_ranks_ends_with_the_slowest():
    block = together([Timed([10.0, 30.0], 41.0, 7.0, 3.0), Timed([20.0, 10.0], 32.0, 5.0, None)])
    assert block == Timed([20.0, 30.0], 41.0, 6.0, None)


def test_the_checksum_sees_one_changed_weight():
    layer = torch.nn.Linear(3, 2)
    before = checksum(layer)
    assert checksum(layer) == before
    with torch.no_grad():
        layer.weight[1, 2] += 1e-6
    assert checksum(layer) != before


def test_an_injected_slowdown_lengthens_each_step_by_its_share():
    class Busy:
        name = "busy"

        def step(self):
            started = time.perf_counter()
            while time.perf_counter() - started < 0.02:
                pass
            self.took = time.perf_counter() - started
            return "the loss"

    slowed = Slowed(Busy(), 0.5, CPU)
    started = time.perf_counter()
    assert slowed.step() == "the loss"
    assert time.perf_counter() - started >= 1.5 * slowed.took
    assert slowed.name == "busy"


def test_a_static_loss_scale_leaves_the_steps_as_they_are():
    plain, scaled = tiny(), tiny(precision=Precision("fp32", None, 128.0))
    losses = [(float(plain.step()), float(scaled.step())) for _ in range(4)]
    assert all(abs(one - other) < 0.02 * one for one, other in losses), losses


def test_a_refreshed_batch_holds_new_data_in_the_same_memory():
    workload = tiny()
    before, address = workload.images.clone(), workload.images.data_ptr()
    workload.refresh()
    assert workload.images.data_ptr() == address
    assert not torch.equal(workload.images, before)


def test_inference_leaves_the_weights_alone():
    workload = tiny("inference")
    before = [parameter.clone() for parameter in workload.model.parameters()]
    timed = time_steps(workload, CPU, 2)
    assert timed.loss_first is None
    assert all(torch.equal(a, b) for a, b in zip(before, workload.model.parameters()))


def test_the_steps_are_split_into_at_least_five_equal_blocks():
    for steps in range(1, 400):
        blocks = arguments.divide(steps, None)
        assert blocks.count >= 5
        assert steps <= blocks.count * blocks.steps < steps + blocks.count
    assert arguments.divide(200, None) == (10, 20)
    assert arguments.divide(20, None) == (5, 4)
    assert arguments.divide(20, 10) == (10, 2)
