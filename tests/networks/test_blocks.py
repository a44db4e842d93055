"""The shared blocks against functional formulas, at odd sizes too."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from bench.networks import _blocks


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def randomised(module: nn.Module) -> nn.Module:
    for seed, parameter in enumerate(module.double().parameters()):
        parameter.data = draw(*parameter.shape, seed=seed)
    return module


def normed(x: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
    weight = 1 if norm.weight is None else norm.weight[:, None, None]
    bias = 0 if norm.bias is None else norm.bias[:, None, None]
    return (x - mean) / torch.sqrt(var + norm.eps) * weight + bias


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_relu_conv_norm(kernel: int, stride: int, affine: bool) -> None:
    block = randomised(_blocks.relu_conv_norm(3, 4, kernel, stride=stride, affine=affine))
    x = draw(2, 3, 7, 8)
    convolved = functional.conv2d(
        x.clamp(min=0), block.conv.weight, stride=stride, padding=kernel // 2
    )
    torch.testing.assert_close(block(x), normed(convolved, block.norm))
    assert len(list(block.parameters())) == (3 if affine else 1)


def test_conv_norm_relu() -> None:
    x = draw(2, 3, 7, 8)
    for relu in (False, True):
        block = randomised(_blocks.conv_norm(3, 4, 3, relu=relu))
        expected = normed(functional.conv2d(x, block.conv.weight, padding=1), block.norm)
        torch.testing.assert_close(block(x), expected.clamp(min=0) if relu else expected)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (7, 8), (6, 5), (1, 1)])
def test_factorized_reduce(height: int, width: int) -> None:
    block = randomised(_blocks.FactorizedReduce(3, 5))
    x = draw(2, 3, height, width)
    positive = functional.pad(x.clamp(min=0), (0, 1, 0, 1))
    even = torch.einsum(
        "nchw,oc->nohw", positive[:, :, :height:2, :width:2], block.even.weight[..., 0, 0]
    )
    odd = torch.einsum("nchw,oc->nohw", positive[:, :, 1::2, 1::2], block.odd.weight[..., 0, 0])
    assert even.shape[1] == 2
    assert odd.shape[1] == 3
    torch.testing.assert_close(block(x), normed(torch.cat([even, odd], 1), block.norm))


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def test_an_edge_cell_sums_along_its_edges() -> None:
    """With factors for operations the cell is a polynomial in them."""
    a, b, c, d, e, f = 2.0, 3.0, 5.0, 7.0, 11.0, 13.0
    cell = _blocks.EdgeCell([("times", Times(factor)) for factor in (a, b, c, d, e, f)], 4)
    x = draw(2, 4, 3, 3)
    torch.testing.assert_close(cell(x), x * (d + a * e + (b + a * c) * f))
    names = [name for name, _ in cell.named_children()]
    assert names == [f"edge_{edge}_times" for edge in ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")]


def test_unread_operations_run_and_empty_nodes_are_zeros() -> None:
    ran: list[str] = []
    operations: list[tuple[str, nn.Module | None]] = []
    for edge in range(6):
        module = Times(2.0) if edge in (2, 4) else None
        if module is not None:
            module.register_forward_hook(lambda *_, edge=edge: ran.append(str(edge)))
        operations.append(("times" if module else "none", module))
    cell = _blocks.EdgeCell(operations, 4)
    x = draw(2, 4, 3, 3)
    assert not cell(x).any()
    assert ran == ["2", "4"]
    assert cell(x).shape == x.shape


@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 2), (4, 2), (6, 1)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_zeros_have_the_shape_of_an_operations_output(
    channels: int, stride: int, layout: torch.memory_format
) -> None:
    x = draw(2, 4, 7, 5).to(memory_format=layout)
    conv = nn.Conv2d(4, channels, 3, stride, 1).double().to(memory_format=layout)
    zeros = _blocks.zeros(x, channels, stride)
    assert zeros.shape == conv(x).shape
    assert zeros.is_contiguous(memory_format=layout)
    assert not zeros.any()
    assert zeros.dtype == x.dtype


def test_layers_are_torchs_own_again_and_take_its_initialisation() -> None:
    for layer, kind in (
        (_blocks.conv(2, 3, 3), nn.Conv2d),
        (_blocks.norm(3), nn.BatchNorm2d),
        (_blocks.linear(3, 2), nn.Linear),
    ):
        assert type(layer) is kind
        layer.weight.data.fill_(9.0)
        torch.manual_seed(0)
        layer.reset_parameters()
        assert not (layer.weight == 9).any()
