"""What is recorded while a network runs forward: any network, modules or functions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.proxies.passes.recorder import Bypass, OnCpu, Recorder, plain, rectified

Change = Callable[[Tensor], object]


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def weight() -> Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.randn(4, 3, 3, 3, generator=rng, requires_grad=True)


def write_channels(y: Tensor) -> None:
    y[:, :2] = 0


WRITES: dict[str, Change] = {
    "relu_": lambda y: y.relu_(),
    "functional relu_": functional.relu_,
    "inplace": lambda y: functional.relu(y, inplace=True),
    "inplace by position": lambda y: functional.relu(y, True),
    "module": nn.ReLU(inplace=True),
    "leaky": lambda y: functional.leaky_relu(y, 0.1, True),
    "hardtanh": nn.Hardtanh(inplace=True),
    "dropout": lambda y: functional.dropout(y, 0.5, True, True),
    "+=": lambda y: y.__iadd__(1),
    "mul_": lambda y: y.mul_(2),
    "item": write_channels,
    "some channels": lambda y: y[:, :2].relu_(),
    "view": lambda y: y.view(2, -1).relu_(),
    "flattened": lambda y: y.flatten(1).mul_(0),
    "view, inplace": lambda y: functional.relu(y.view(2, -1), inplace=True),
}


@pytest.mark.parametrize("name", WRITES)
def test_an_output_is_kept_as_it_was(name: str, x: Tensor, weight: Tensor) -> None:
    """fisher multiplies by what a layer gave, not by what was made of it in place."""
    expected = functional.conv2d(x, weight).detach()
    recorder = Recorder({id(weight): "conv"})
    with torch.random.fork_rng(devices=[]), recorder:
        y = functional.conv2d(x, weight)
        WRITES[name](y)
    (output,) = recorder.outputs
    assert not torch.equal(y, expected), "something was written"
    assert torch.equal(output.value, expected)


def test_the_place_in_the_graph_is_the_layers_own(x: Tensor, weight: Tensor) -> None:
    """Not that of the ReLU in place after it."""
    recorder = Recorder({id(weight): "conv"})
    with recorder:
        y = functional.relu(functional.conv2d(x, weight), inplace=True)
    (output,) = recorder.outputs
    assert output.layer == "conv"
    seen = []
    assert output.node is not None
    output.node.register_prehook(lambda gradients: seen.append(gradients[0]))
    y.sum().backward()
    assert torch.equal(seen[0], (y > 0).float())


def test_every_call_of_a_known_layer_is_an_output(x: Tensor, weight: Tensor) -> None:
    layer = nn.Linear(4, 4)
    recorder = Recorder({id(weight): "conv", id(layer.weight): "linear"})
    with recorder:
        y = functional.conv2d(input=x, weight=weight).mean((2, 3))
        y = layer(layer(y)) + functional.linear(y, torch.eye(4))
    assert [output.layer for output in recorder.outputs] == ["conv", "linear", "linear"]


def seen_by(run: Callable[[Tensor], object], x: Tensor) -> list[Tensor]:
    seen: list[Tensor] = []
    with Recorder({}, on_rectifier=lambda source: seen.append(source.clone())):
        run(x.clone())
    return seen


RECTIFIERS: dict[str, Callable[[Tensor], object]] = {
    "method": lambda x: x.relu(),
    "in place": lambda x: x.relu_(),
    "torch": lambda x: torch.relu(input=x),
    "functional": lambda x: functional.relu(input=x),
    "module": nn.ReLU(),
    "module in place": nn.ReLU(inplace=True),
    "relu6": nn.ReLU6(),
    "leaky": nn.LeakyReLU(0.2, inplace=True),
    "random": nn.RReLU(),
    "learnt": nn.PReLU(),
}


@pytest.mark.parametrize("name", RECTIFIERS)
def test_a_rectifier_is_seen_once_before_it_writes(name: str, x: Tensor) -> None:
    with torch.random.fork_rng(devices=[]):
        (seen,) = seen_by(RECTIFIERS[name], x)
    assert torch.equal(seen, x)


@pytest.mark.parametrize("run", [nn.GELU(), nn.SiLU(), nn.ELU(), torch.sigmoid, nn.CELU()])
def test_what_is_no_rectifier_is_not_seen(run: Callable[[Tensor], object], x: Tensor) -> None:
    assert seen_by(run, x) == []


POOLINGS: dict[str, Callable[[Tensor], object]] = {
    "adaptive": nn.AdaptiveAvgPool2d(1),
    "adaptive, a pair": nn.AdaptiveAvgPool2d((1, 1)),
    "adaptive, a function": lambda x: functional.adaptive_avg_pool2d(x, output_size=[1, 1]),
    "mean": lambda x: x.mean((2, 3)),
    "mean from the end": lambda x: torch.mean(x, dim=[-1, -2], keepdim=True),
    "average of all": nn.AvgPool2d(6),
    "average by name": lambda x: functional.avg_pool2d(input=x, kernel_size=(6, 6)),
    "average of all and more": lambda x: x.mean((2, 3)).mean(1),
}


@pytest.mark.parametrize("name", POOLINGS)
def test_features_are_what_goes_into_the_global_pooling(name: str, x: Tensor) -> None:
    recorder = Recorder({})
    with recorder:
        POOLINGS[name](x.abs())
    assert recorder.features is not None
    assert torch.equal(recorder.features, x.abs())


@pytest.mark.parametrize(
    "run",
    [
        nn.AdaptiveAvgPool2d(2),
        nn.AvgPool2d(3),
        lambda x: x.mean(),
        lambda x: x.mean(1),
        lambda x: x.mean((0, 2, 3)),
        lambda x: x.flatten(2).mean(2),
    ],
)
def test_other_averages_leave_no_features(run: Callable[[Tensor], object], x: Tensor) -> None:
    recorder = Recorder({})
    with recorder:
        run(x)
    assert recorder.features is None


def test_the_last_global_pooling_counts(x: Tensor) -> None:
    recorder = Recorder({})
    with recorder:
        y = x * x.mean((2, 3), keepdim=True)
        y.mean((2, 3))
    assert recorder.features is y


OPERATIONS: dict[str, tuple[nn.Module, int]] = {
    # One image, 3 x 6 x 6; entries of the output times what each costs.
    "convolution": (nn.Conv2d(3, 4, 3), 4 * 16 * 27),
    "strided": (nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False), 4 * 9 * 27),
    "grouped": (nn.Conv2d(3, 6, 3, groups=3), 6 * 16 * 9),
    "convolution of lines": (nn.Sequential(nn.Flatten(2), nn.Conv1d(3, 2, 5)), 2 * 32 * 15),
    "linear": (nn.Sequential(nn.Flatten(), nn.Linear(108, 7)), 7 * 108),
    "linear on lines": (nn.Linear(6, 5), 18 * 5 * 6),
    "norm": (nn.BatchNorm2d(3), 2 * 108),
    "norm without scale": (nn.BatchNorm2d(3, affine=False), 108),
    "relu": (nn.ReLU(), 108),
    "max pool": (nn.MaxPool2d(2), 27 * 4),
    "avg pool": (nn.AvgPool2d(3, 1, 1), 108 * 9),
    "global pool": (nn.AdaptiveAvgPool2d(1), 3 * 49),
    "identity": (nn.Identity(), 0),
    "sigmoid": (nn.Sigmoid(), 0),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations(name: str, x: Tensor) -> None:
    """Of tensorwatch; two images here."""
    recorder, (module, expected) = Recorder({}), OPERATIONS[name]
    with recorder, torch.no_grad():
        module(x)
    assert recorder.operations == 2 * expected


@pytest.mark.parametrize("inner", [OnCpu(), Bypass()], ids=["on cpu", "bypass"])
def test_operations_under_other_modes(inner: OnCpu | Bypass, x: Tensor) -> None:
    """The detour of fast pools is not counted as a convolution."""
    recorder = Recorder({})
    with inner, recorder, torch.no_grad():
        nn.AvgPool2d(3, 1, 1)(x)
    assert recorder.operations == 2 * 108 * 9


AVERAGES: dict[str, dict[str, int | bool | tuple[int, int] | None]] = {
    "overlapping": {"kernel_size": 3, "stride": 1, "padding": 1},
    "padding not counted": {
        "kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
    "even": {"kernel_size": 2, "stride": 1},
    "ceiling": {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    "divisor": {"kernel_size": 3, "stride": 1, "divisor_override": 2},
    "apart": {"kernel_size": 2, "stride": None},
    "rectangle": {"kernel_size": (3, 2), "stride": 1},
    "pair": {"kernel_size": (3, 3), "stride": (1, 1), "padding": (1, 1)},
}  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", AVERAGES)
def test_fast_pools_are_pools(name: str, dtype: torch.dtype, x: Tensor) -> None:
    x, options = x.to(dtype).requires_grad_(), AVERAGES[name]
    expected = functional.avg_pool2d(x, **options)  # type: ignore[arg-type]
    with OnCpu():
        found = functional.avg_pool2d(x, **options)  # type: ignore[arg-type]
        again = functional.avg_pool2d(input=x, **options)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected)
    assert torch.equal(again, found)
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(2), dtype=dtype)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(3), nn.BatchNorm2d(3, affine=False)])
def test_bypass_passes_norms(norm: nn.Module, x: Tensor) -> None:
    with Bypass():
        assert torch.equal(norm(x), x)
        assert torch.equal(functional.batch_norm(input=x, running_mean=None, running_var=None,
                                                 training=True), x)  # fmt: skip
        assert torch.equal(nn.BatchNorm1d(3)(x.flatten(2)), x.flatten(2))
        assert not torch.equal(nn.ReLU()(x), x)


def test_plain_names() -> None:
    assert plain(torch.Tensor.relu_) == plain(functional.relu_) == plain(torch.relu) == "relu"
    assert plain(torch.Tensor.__iadd__) == "__iadd__"
    assert plain(object()) == ""


def test_rectified_is_a_row_an_image_without_a_copy(x: Tensor) -> None:
    for source in (x, x.contiguous(memory_format=torch.channels_last), x[0]):
        rows = rectified(source)
        assert rows.shape == (len(source), source[0].numel())
        assert rows.data_ptr() == source.data_ptr()
        assert torch.equal(rows.sort(1).values, source.flatten(1).sort(1).values)
    assert torch.equal(rectified(x[:, 1:]), x[:, 1:].flatten(1))


def test_no_mode_is_left_behind(x: Tensor) -> None:
    recorder = Recorder({})

    def fail() -> None:
        with recorder:
            functional.relu(x)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    nn.Conv2d(3, 3, 1)(x)
    assert recorder.operations == 216
