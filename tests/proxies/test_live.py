"""The live scorer leaves everything as it was found, and its failures are results with reasons."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from proxies import naive
from proxies.small import Function, Net, Residual, batch, made
from torch import Tensor, nn
from torch.nn import functional

from bench.base import OptionError
from bench.proxies import COMPUTED
from bench.proxies.computed import Computed, UndefinedError
from bench.proxies.live import Batch, Result, score
from bench.proxies.passes import PASSES

CLASSIC = [proxy for proxy in COMPUTED if proxy.name in naive.NAIVE]
OF_LOSS = {"fisher", "grad_norm", "grasp", "plain", "snip"}
OF_WEIGHTS = {"params", "l2_norm"}


def outcome(found: Mapping[str, Result]) -> dict[str, float | str | None]:
    """Values, and reasons where there are none."""
    return {name: result.error or result.value for name, result in found.items()}


def errors(found: Mapping[str, Result]) -> dict[str, str]:
    """Undefined scores with their reason, others with the class of the error."""
    reasons = {name: result.error for name, result in found.items() if result.error}
    return {
        name: text if text.startswith("undefined") else text.partition(":")[0]
        for name, text in reasons.items()
    }


# As it was found.


def raising(x: Tensor) -> Tensor:
    raise ZeroDivisionError


def drawing(x: Tensor) -> Tensor:
    return x + torch.randn(x.shape, dtype=x.dtype)


def shared() -> nn.Module:
    layer = nn.Conv2d(8, 8, 3, padding=1)
    return nn.Sequential(layer, nn.BatchNorm2d(8), nn.ReLU(inplace=True), layer)


def one_weight() -> nn.Module:
    first, second = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1)
    second.weight = first.weight
    return nn.Sequential(first, second)


BETWEEN: dict[str, Callable[[], nn.Module]] = {
    "norm": lambda: nn.BatchNorm2d(8),
    "in place": lambda: Residual(nn.Conv2d(8, 8, 1), nn.ReLU(inplace=True)),
    "one module in two places": shared,
    "one weight in two modules": one_weight,
    "dropout": nn.Dropout,
    "draws": lambda: Function(drawing),
    "raises": lambda: Function(raising),
    "not finite": lambda: Function(lambda x: x / 0),
    "computed weight": lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 1)),
}


def untidy(between: Callable[[], nn.Module], dtype: torch.dtype = torch.float32) -> nn.Module:
    """A module in a state of its own: part frozen, part evaluating, with gradients and hooks."""
    module = made(lambda: Net(between()), dtype).to(memory_format=torch.channels_last)
    module.norm.eval()
    module.stem.weight.requires_grad_(False)
    module.head.weight.grad = torch.ones_like(module.head.weight)
    module.head.register_forward_hook(lambda *_: None)
    module.head.bias.register_hook(lambda gradient: gradient)
    return module


def state(module: nn.Module) -> list[object]:
    """All there is to see of a module and of the global state; tensors as bytes."""
    seen: list[object] = [torch.get_rng_state().tolist(), random.getstate()]
    seen += [np.random.get_state()[1].tolist()]  # noqa: NPY002 - to see it left alone
    seen += [torch.is_grad_enabled(), torch.get_default_dtype()]
    tensors = [*module.named_parameters(remove_duplicate=False),
               *module.named_buffers(remove_duplicate=False)]  # fmt: skip
    for name, tensor in tensors:
        bytes_ = tensor.detach().contiguous().numpy().tobytes()
        gradient = None if tensor.grad is None else tensor.grad.tolist()
        seen += [name, id(tensor), type(tensor), bytes_, tensor.stride(), tensor.requires_grad]
        seen += [gradient, tensor.is_leaf, len(tensor._backward_hooks or {})]
    for name, part in module.named_modules(remove_duplicate=False):
        hooks = {k: len(v) for k, v in vars(part).items() if k.endswith("_hooks")}
        seen += [name, id(part), part.training, hooks, list(vars(part)), list(part._parameters)]
    return seen


@pytest.mark.parametrize("proxy", COMPUTED, ids=lambda proxy: proxy.name)
@pytest.mark.parametrize("name", BETWEEN)
def test_all_is_left_as_it_was_found(name: str, proxy: Computed) -> None:
    module, given = untidy(BETWEEN[name]), batch(dtype=torch.float32)
    images, labels, before = given.images.clone(), given.labels.clone(), state(module)
    score(module, [given, given], [proxy])
    assert state(module) == before
    assert torch.equal(given.images, images)
    assert torch.equal(given.labels, labels)
    assert given.images.grad is None
    assert not given.images.requires_grad


def test_an_interrupt_leaves_it_so_too() -> None:
    def interrupt(x: Tensor) -> Tensor:
        raise KeyboardInterrupt

    module = untidy(lambda: Function(interrupt))
    before = state(module)
    with pytest.raises(KeyboardInterrupt):
        score(module, batch(dtype=torch.float32), CLASSIC)
    assert state(module) == before


# In what company a proxy is scored does not matter.


@pytest.mark.parametrize("name", ["norm", "in place", "dropout", "draws"])
def test_alone_as_in_company(name: str) -> None:
    module, given = untidy(BETWEEN[name]), [batch(dtype=torch.float32)] * 2
    together = outcome(score(module, given, COMPUTED, seed=3))
    backwards = outcome(score(module, given, COMPUTED[::-1], seed=3))
    alone = {
        proxy.name: outcome(score(module, given, [proxy], seed=3))[proxy.name] for proxy in COMPUTED
    }
    assert together == backwards
    assert together == alone


def test_the_global_random_state_has_no_say() -> None:
    module, given = untidy(nn.Dropout), batch(dtype=torch.float32)
    with torch.random.fork_rng(devices=[]):
        found = []
        for seed in (0, 1):
            torch.manual_seed(seed)
            found.append(outcome(score(module, given, CLASSIC, seed=5)))
        assert found[0] == found[1]
        other = outcome(score(module, given, CLASSIC, seed=6))
    assert other["snip"] != found[0]["snip"]


# Failures.


def test_a_network_that_raises() -> None:
    found = score(made(lambda: Net(Function(raising))), batch(), CLASSIC)
    assert errors(found) == dict.fromkeys(naive.NAIVE.keys() - {"params"}, "ZeroDivisionError")
    assert all(result.seconds >= 0 for result in found.values())


def test_a_network_that_is_not_finite() -> None:
    found = score(made(lambda: Net(Function(lambda x: x * torch.nan))), batch(), CLASSIC)
    assert errors(found).keys() == naive.NAIVE.keys() - {"params", "l2_norm", "flops", "nwot"}
    for name in ("fisher", "grad_norm", "grasp", "plain", "snip", "epe_nas", "synflow", "zen"):
        assert found[name].error == "non-finite", name
    with np.errstate(all="ignore"):
        huge = score(made(lambda: Net(Function(lambda x: x * 1e308 * 1e308))), batch(), CLASSIC)
    assert errors(huge)["snip"] == "non-finite"


def test_a_dead_network() -> None:
    """No path from the images: what it answers does not depend on them, and nothing flows."""
    found = score(made(lambda: Net(Function(torch.zeros_like))), batch(), CLASSIC)
    why = errors(found)
    assert why.keys() == {"epe_nas", "jacov", "synflow", "zen"}
    assert why["jacov"] == why["epe_nas"] == "undefined: the outputs do not depend on the images"
    assert why["synflow"] == "undefined: nothing flows from the input to the output"
    assert why["zen"] == "undefined: features do not move with the images"
    assert found["grasp"].value == found["plain"].value == found["snip"].value == 0


def test_a_network_without_layers() -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    found = score(module, Batch(batch().images.float(), torch.zeros(6).long()), CLASSIC)
    assert found["params"].value == 0
    told = "undefined: the network has no convolution and no linear layer"
    assert found["l2_norm"].error == found["snip"].error == told
    assert found["nwot"].error == "undefined: the network has no ReLU"
    assert all((result.value is None) != (result.error is None) for result in found.values())


@pytest.mark.parametrize("by", [-1, 3])
def test_labels_without_a_logit(by: int) -> None:
    given = batch()
    found = score(made(Net), Batch(given.images, given.labels + by), CLASSIC)
    assert errors(found) == dict.fromkeys(OF_LOSS, "OptionError")


def test_one_image() -> None:
    """Correlations of one row, and norms whose statistics are of one image's positions."""
    found = score(made(Net), batch(1), CLASSIC)
    module, given = made(Net), batch(1)
    for name in naive.NAIVE.keys() - {"jacov"}:
        expected = naive.score(name, module, given.images, given.labels)
        assert found[name].value == pytest.approx(expected, rel=1e-9), name
    why = errors(score(made(lambda: Net(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(8)))),
                       batch(1), CLASSIC))  # fmt: skip
    assert why["snip"] == why["nwot"] == "ValueError", "torch will not norm single values"


def test_equal_images() -> None:
    given = batch()
    found = score(made(Net), Batch(given.images[:1].expand(6, -1, -1, -1), given.labels), CLASSIC)
    assert found["nwot"].error == "undefined: two images switch all ReLUs alike"
    assert errors(found).keys() <= {"nwot", "jacov"}


def parametric_relu(x: Tensor) -> Tensor:
    return x * functional.relu(torch.ones(8, 1, 1, dtype=x.dtype))


@pytest.mark.parametrize(
    "function",
    [parametric_relu, lambda x: functional.relu(x.flatten(0, 1)).view_as(x)],
    ids=["of a constant", "of maps in a row"],
)
def test_a_relu_of_other_rows_concerns_nwot_alone(function: Callable[[Tensor], Tensor]) -> None:
    found = score(made(lambda: Net(Function(function))), batch(), CLASSIC)
    assert errors(found).keys() <= {"nwot"}


# What a proxy itself may do.


def proxy_of(function: Callable[..., float], *passes: str) -> Computed:
    return Computed("mine", function, passes, frozenset(), "", "", "")


def fail(error: BaseException) -> Callable[..., float]:
    def function(*_: object) -> float:
        raise error

    return function


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (fail(KeyError("x")), "KeyError"),
        (fail(UndefinedError("no reason")), "undefined: no reason"),
        (fail(SystemExit(3)), "SystemExit"),
        (lambda _: float("nan"), "non-finite"),
        (lambda _: -float("inf"), "non-finite"),
        (lambda _: torch.tensor(torch.inf), "non-finite"),
        (lambda _: torch.zeros(2), "ValueError"),
        (lambda _: None, "TypeError"),
        (lambda: 1.0, "TypeError"),
    ],
)
def test_a_users_proxy_that_fails(function: Callable[..., float], reason: str) -> None:
    found = score(made(Net), batch(), [proxy_of(function, "weights"), *CLASSIC])
    assert found["mine"].value is None
    assert errors(found)["mine"] == reason
    assert errors(found).keys() == {"mine"}


def test_a_users_proxy() -> None:
    """It is given the records it names, in that order, and may go backward again."""

    def mine(forward: object, weights: object) -> float:
        return forward.logits.sum().item() + weights.parameters

    module, given = made(Net), batch()
    found = score(module, given, [*CLASSIC, proxy_of(mine, "forward", "weights")])["mine"]
    logits = module.train()(given.images)
    assert found.value == pytest.approx(logits.sum().item() + 276)
    assert found.error is None
    assert found.seconds > 0


def test_no_proxies() -> None:
    assert score(made(Net), batch(), []) == {}


def test_a_pass_runs_once_and_only_if_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    module = made(lambda: Net(before=lambda x: (calls.append(len(x)), x)[1]))
    by_name = {proxy.name: proxy for proxy in CLASSIC}
    for names, forwards in (
        (["params"], 0),
        (["l2_norm", "flops"], 0),
        (["snip", "fisher", "grad_norm", "plain", "jacov", "epe_nas", "nwot", "flops"], 1),
        (["synflow"], 1),
        (["zen"], 2),
        (["grasp"], 2),
    ):
        calls.clear()
        score(module, batch(), [by_name[name] for name in names])
        # Twice on two images, for one output; then on two and on three, for what it is made of.
        looks = [] if names == ["params"] else [2, 2, 2, 3]
        assert [n for n in calls if n in (2, 3)] == looks, names
        assert len(calls) == len(looks) + forwards, names


# What it is given.


@pytest.mark.parametrize(
    ("images", "labels", "got"),
    [
        ((0, 3, 8, 8), (0,), "0, 3, 8, 8"),
        ((6, 8, 8), (6,), "6, 8, 8"),
        ((6, 3, 8, 8), (5,), "5,"),
        ((6, 3, 8, 8), (6, 4), "6, 4"),
        ((6, 3, 8, 8), (), r"\(\)"),
    ],
)
def test_a_batch_of_a_wrong_shape(
    images: tuple[int, ...], labels: tuple[int, ...], got: str
) -> None:
    given = Batch(torch.zeros(images), torch.zeros(labels, dtype=torch.int64))
    with pytest.raises(OptionError, match=f"expected images of shape n x c x h x w.*{got}"):
        score(made(Net), given, CLASSIC)
    with pytest.raises(OptionError, match="expected images"):
        score(made(Net), [batch(), given], CLASSIC)


def test_no_batch_or_one_that_is_not_finite() -> None:
    with pytest.raises(OptionError, match="expected at least one minibatch"):
        score(made(Net), [], CLASSIC)
    given = batch()
    given.images[2, 1, 3, 3] = torch.nan
    with pytest.raises(OptionError, match="expected finite images"):
        score(made(Net), given, CLASSIC)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_images_take_the_type_of_the_module(dtype: torch.dtype) -> None:
    module = made(Net, dtype)
    found = score(module, batch(dtype=torch.float64), CLASSIC)
    assert errors(found) == {}
    exact = naive.score("snip", made(Net, dtype).double(), batch().images, batch().labels)
    precision = {torch.float32: 1e-5, torch.float64: 1e-12, torch.bfloat16: 0.05}[dtype]
    assert found["snip"].value == pytest.approx(exact, rel=precision)


def test_every_pass_is_there() -> None:
    from bench.proxies.computed import PASS_NAMES

    assert set(PASSES) == set(PASS_NAMES)


def test_float32_keeps_all_its_digits_on_a_gpu_and_settings_stay() -> None:
    """TF32 rounds what convolutions multiply to ten bits, and is cuDNN's default."""

    def precisions() -> tuple[str, ...]:
        cudnn = torch.backends.cudnn
        products = torch.backends.cuda.matmul.fp32_precision
        return cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision, products

    class Asks(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append((precisions(), torch.backends.cudnn.allow_tf32))
            with torch.backends.cudnn.flags(enabled=True):  # reads the older setting
                return x.flatten(1)

    seen: list[object] = []
    before = precisions()
    score(Asks(), Batch(torch.rand(4, 3, 2, 2), torch.arange(4) % 3), CLASSIC)
    assert seen[0] == (("ieee", "ieee", "ieee"), False)
    assert precisions() == before
