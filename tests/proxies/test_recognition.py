"""What a network is made of is recognised, or its scores are refused with a reason: never 0.

Right values are those of an equal network written plainly, or of a reference that runs modules, one
image at a time where a proxy is of single images.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from proxies import naive
from proxies.small import Function, Net, batch, made
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from bench.proxies import COMPUTED
from bench.proxies.live import Batch, score

OF_LAYERS = [
    *("fisher", "grad_norm", "grasp", "l2_norm", "plain", "snip", "synflow", "logsynflow"),
    *("gradsign", "ntk", "zico", "zen", "vkdnw"),
]


def found(module: nn.Module, *names: str, given: Batch | None = None) -> dict[str, object]:
    proxies = [proxy for proxy in COMPUTED if not names or proxy.name in names]
    results = score(module, batch() if given is None else given, proxies)
    return {name: r.value if r.error is None else r.error for name, r in results.items()}


def assert_same(scores: dict[str, object], expected: dict[str, object]) -> None:
    """Numbers to 1e-9, reasons to the letter."""
    assert scores.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, float):
            assert scores[name] == pytest.approx(value, rel=1e-9), name
        else:
            assert scores[name] == value, name


def conv() -> nn.Conv2d:
    return nn.Conv2d(8, 8, 3, padding=1, bias=False)


# Computed weights.

WRITTEN: dict[str, Callable[[nn.Module], object]] = {
    "a mask of ones": lambda layer: prune.identity(layer, "weight"),
    "two masks": lambda layer: (
        prune.random_unstructured(layer, "weight", 0.3),
        prune.ln_structured(layer, "weight", 0.25, n=2, dim=0),
    ),
    "weight norm": parametrizations.weight_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "spectral norm by a hook": nn.utils.spectral_norm,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_computed_weight_is_scored_as_the_equal_network_written_plainly(name: str) -> None:
    computed = made(lambda: Net(conv()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        WRITTEN[name](computed.between)
    computed.double()
    before = {key: value.clone() for key, value in computed.state_dict().items()}
    scores = found(computed)
    plain = made(lambda: Net(conv()))
    with torch.no_grad():
        for module, source in ((plain, computed),):
            for part in ("stem", "norm", "head"):
                getattr(module, part).load_state_dict(getattr(source, part).state_dict())
        computed.train()
        if name == "spectral norm by a hook":
            computed.between(torch.zeros(1, 8, 4, 4, dtype=torch.float64))
        plain.between.weight.copy_(computed.between.weight)
    expected = found(plain)
    scores.pop("params"), expected.pop("params"), scores.pop("swap_reg"), expected.pop("swap_reg")
    assert_same(scores, expected)
    if name not in {"spectral norm by a hook", "spectral norm"}:
        for key, value in computed.state_dict().items():
            assert torch.equal(value, before[key]), key


def test_a_parametrised_network_is_left_as_it_was() -> None:
    module = made(lambda: Net(parametrizations.spectral_norm(conv())))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    kind = type(module.between)
    found(module)
    assert type(module.between) is kind
    assert parametrize.is_parametrized(module.between)
    assert list(module.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


class Standardised(nn.Conv2d):
    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias, padding=1)


class Sliced(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 12)

    def forward(self, x: Tensor) -> Tensor:
        rows = functional.linear(x.permute(0, 2, 3, 1), self.linear.weight[:8])
        return rows.permute(0, 3, 1, 2)


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("nchw,cd->ndhw", x, self.matrix)


class Rows(nn.Module):
    """A recurrent layer over the positions of an image."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.recurrent = kind(8, 8, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        rows, _ = self.recurrent(x.flatten(2).mT)
        return rows.mT.reshape(x.shape)


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "standardised": lambda: Standardised(8, 8, 3),
    "sliced": Sliced,
    "bare": Bare,
    "transposed": lambda: nn.ConvTranspose2d(8, 8, 3),
    "lstm": lambda: Rows(nn.LSTM),
    "gru": lambda: Rows(nn.GRU),
    "scripted": lambda: torch.jit.script(nn.Sequential(conv(), nn.ReLU())),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_weights_of_no_known_layer_are_refused_by_name(name: str) -> None:
    module = made(lambda: Net(REFUSED[name]()))
    scores = found(module, "params", *OF_LAYERS)
    assert scores.pop("params") == sum(p.numel() for p in module.parameters()) / 1e6
    for proxy, value in scores.items():
        assert str(value).startswith("unrecognised: "), (proxy, value)


# Attention and layouts.


class Tokens(nn.Module):
    """A transformer layer over 16 positions, tokens or images first; the same function."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 2, 2)
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
        self.head = nn.Linear(8, 4)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).mT
        y = self.layer(x) if self.batch_first else self.layer(x.transpose(0, 1)).transpose(0, 1)
        return self.head(y.mean(1))


@pytest.mark.parametrize("n", [6, 16])
def test_tokens_may_stand_first(n: int) -> None:
    """Also where there are as many tokens as images."""
    first, images = (made(lambda on=on: Tokens(batch_first=on)) for on in (False, True))
    given = batch(n)
    scores = found(first, given=given)
    assert_same(scores, found(images, given=given))
    # One image at a time, over convolutions and linear layers.
    signs: dict[str, Tensor] = {}
    rows = []
    for image, label in zip(given.images[:16], given.labels, strict=False):
        logits = images(image[None])
        weights = [
            layer.weight for layer in images.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
        ]
        of_loss = torch.autograd.grad(
            functional.cross_entropy(logits, label[None]), weights, retain_graph=True
        )
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(logits.sum(), weights)]))
        for at, gradient in enumerate(of_loss):
            signs[str(at)] = signs.get(str(at), 0) + gradient.sign()
    assert scores["gradsign"] == sum(float(total.abs().sum()) for total in signs.values())
    gram = (torch.stack(rows) @ torch.stack(rows).T).numpy()
    eigenvalues = np.linalg.eigvalsh(gram)
    assert scores["ntk"] == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-6)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        images.train()(given.images[:1])
    relus = 16 * 16
    assert scores["flops"] == pytest.approx((counter.get_total_flops() / 2 + relus) / 1e6)
    assert "no call of its layer was seen" in str(scores["fisher"])
    assert "batch norms alone, got layer_norm" in str(scores["synflow"])
    assert str(scores["zen"]) == "unrecognised: the network has no global average pooling"


class ChannelsLast(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_linear_layer_on_maps_is_a_convolution_of_one_pixel() -> None:
    linear, pixel = made(lambda: Net(ChannelsLast())), made(lambda: Net(nn.Conv2d(8, 8, 1)))
    for module in (linear, pixel):
        for part in ("stem", "norm", "head"):
            getattr(module, part).load_state_dict(getattr(linear, part).state_dict())
    layer = linear.between.linear
    pixel.between.weight.data.copy_(layer.weight.data[:, :, None, None])
    pixel.between.bias.data.copy_(layer.bias.data)
    names = ("fisher", "snip", "grad_norm", "gradsign", "ntk", "nwot", "jacov", "flops")
    assert_same(found(linear, *names), found(pixel, *names))
    assert str(found(linear, "meco")["meco"]).startswith("unrecognised: channels may stand last")


# Costs, poolings and norms.


def test_a_transposed_convolution_costs_its_products() -> None:
    module = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 8, 4, 2, 1)),
        *(nn.Flatten(), nn.Linear(512, 4)),
    ).double()
    expected = 3 * 8 * 9 * 16 + 8 * 8 * 16 * 16 + 512 * 4
    assert found(module, "flops")["flops"] == expected / 1e6


def test_an_operation_of_unknown_cost_is_named() -> None:
    module = made(lambda: Net(Function(lambda x: torch.fft.rfft2(x).real.repeat(1, 1, 1, 2))))
    assert str(found(module, "flops")["flops"]).startswith("unrecognised: the cost of _fft_r2c")


class Squeezed(nn.Module):
    """The one pooling is that of a gate, and the head looks at all positions."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.gate, self.head = nn.Linear(8, 8), nn.Linear(8 * 64, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = x * torch.sigmoid(self.gate(x.mean((2, 3))))[:, :, None, None]
        return self.head(x.flatten(1))


def test_the_pooling_of_a_gate_is_not_the_heads() -> None:
    told = found(made(Squeezed), "zen")["zen"]
    assert told == "unrecognised: the logits do not come from one global average pooling alone"


@pytest.mark.parametrize(
    "norm",
    [
        lambda: nn.BatchNorm2d(8, track_running_stats=False),
        lambda: nn.BatchNorm2d(8, momentum=0.0003),
        lambda: nn.BatchNorm2d(8, momentum=None),
        lambda: nn.SyncBatchNorm(8),
    ],
    ids=["no record", "momentum", "mean", "synchronised"],
)
def test_zen_is_one_value_for_norms_of_one_function(norm: Callable[[], nn.Module]) -> None:
    plain, other = made(lambda: Net(conv())), made(lambda: Net(conv()))
    other.norm = norm().double()
    (expected,) = found(plain, "zen").values()
    assert found(other, "zen")["zen"] == pytest.approx(expected, rel=1e-9)
    given = batch()
    assert expected == pytest.approx(naive.score("zen", plain, given.images, given.labels))


@pytest.mark.parametrize("activation", [nn.SiLU, nn.GELU, nn.Mish, nn.Tanh])
def test_a_network_without_relus_has_no_patterns(activation: type[nn.Module]) -> None:
    module = made(Net)
    module.relu = activation()
    scores = found(module, "nwot", "naswot", "swap", "swap_reg", "linear_regions", given=batch(16))
    assert set(scores.values()) == {"undefined: the network has no ReLU"}


def test_a_switch_that_may_be_a_relu_is_named() -> None:
    module = made(lambda: Net(Function(lambda x: x * (x > 0.1))))
    told = "unrecognised: gt may switch neurons on and off as a ReLU does"
    assert found(module, "nwot")["nwot"] == told
    clamped, plain = made(Net), made(Net)
    clamped.relu = Function(lambda x: x.clamp(min=0))
    assert found(clamped, "nwot") == found(plain, "nwot")


# Tied weights, wrappers, draws and what a network keeps.


class Tied(nn.Module):
    """An embedding of levels whose weight is the head's, found by its first name."""

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.Embedding(4, 8)
        self.stem, self.norm, self.head = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4)
        self.head.weight = self.levels.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.stem(x))).mean((2, 3)))


def test_tied_weights_are_found_and_counted_once() -> None:
    module, given = made(Tied), batch()
    scores = found(module, "params", "snip", "grad_norm", "l2_norm", given=given)
    assert scores["params"] == sum(p.numel() for p in module.parameters()) / 1e6
    module.train()
    weights = [module.stem.weight, module.head.weight]
    loss = functional.cross_entropy(module(given.images), given.labels)
    gradients = torch.autograd.grad(loss, weights)
    pairs = list(zip(weights, gradients, strict=True))
    assert scores["snip"] == pytest.approx(sum((w * g).abs().sum().item() for w, g in pairs))
    assert scores["grad_norm"] == pytest.approx(sum(g.norm().item() for _, g in pairs))
    assert scores["l2_norm"] == pytest.approx(sum(w.norm().item() for w, _ in pairs))


class Wrapper(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)


def test_a_wrapper_changes_no_draw() -> None:
    plain, names = made(lambda: Net(conv())), ("zen", "snip", "az_expressivity", "meco")
    wrapped = Wrapper(nn.Sequential(made(lambda: Net(conv()))))
    expected = found(plain, *names)
    assert found(wrapped, *names) == expected
    assert all(isinstance(value, float) for value in expected.values())


class Checkpointed(nn.Module):
    def __init__(self, *, reentrant: bool) -> None:
        super().__init__()
        self.inner = Net(nn.Sequential(conv(), nn.BatchNorm2d(8), nn.ReLU(), conv()))
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        if self.reentrant and not x.requires_grad:
            x = x.detach().requires_grad_()
        out: Tensor = checkpoint(self.inner, x, use_reentrant=self.reentrant)
        return out


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_changes_no_score_and_no_buffer(reentrant: bool) -> None:
    module = made(lambda: Checkpointed(reentrant=reentrant))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    plain = Wrapper(made(lambda: Checkpointed(reentrant=reentrant)).inner)
    assert_same(found(module), found(plain))
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


class Noisy(nn.Module):
    """Draws from Python's and numpy's global generators."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + random.random()) * float(1 + np.random.rand())  # noqa: NPY002


def test_global_generators_are_seeded_and_put_back() -> None:
    module = made(lambda: Net(Noisy()))
    random.seed(5), np.random.seed(5)  # noqa: NPY002
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = found(module, "snip", "jacov")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    random.random(), np.random.rand()  # noqa: NPY002
    assert found(module, "snip", "jacov") == first
    assert all(math.isfinite(value) for value in first.values() if isinstance(value, float))


# Draws, rounding, and what is hidden.


@pytest.mark.parametrize("part", [lambda: nn.Dropout(0.3), lambda: Function(torch.randn_like)])
def test_a_score_does_not_depend_on_what_ran_before(part: Callable[[], nn.Module]) -> None:
    module = made(lambda: Net(nn.Sequential(conv(), part(), conv())))
    together = found(module)
    for name in ("epsilon", "epsilon_defined", "zen", "grasp", "zico"):
        assert found(module, name) == {name: together[name]}


def test_zen_compares_two_runs_of_one_mask() -> None:
    module = made(lambda: Net(nn.Dropout(0.5)))
    plain = found(made(Net), "zen")["zen"]
    # Another mask in each run would move half of all features by as much as they are.
    assert abs(found(module, "zen")["zen"] - plain) < 0.5


def test_too_few_relus_leave_no_determinant() -> None:
    """12 neurons tell 16 images apart by a matrix of rank 13 at most."""
    module = made(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 12), nn.ReLU(), nn.Linear(12, 4))
    )
    assert str(found(module, "nwot", given=batch(16))["nwot"]).startswith(
        "undefined: too few ReLUs"
    )


def test_a_threshold_at_0_is_a_relu() -> None:
    threshold, plain = made(Net), made(Net)
    threshold.relu = nn.Threshold(0.0, 0.0)
    assert found(threshold, "nwot") == found(plain, "nwot")
    threshold.relu = nn.Threshold(0.1, 0.0)
    told = "unrecognised: threshold may switch neurons on and off as a ReLU does"
    assert found(threshold, "nwot")["nwot"] == told


def test_weights_that_are_computed_cost_as_much_for_any_number_of_images() -> None:
    class LowRank(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Parameter(torch.randn(8, 2)), nn.Parameter(torch.randn(2, 8))

        def forward(self, x: Tensor) -> Tensor:
            return functional.conv2d(x, (self.a @ self.b)[:, :, None, None])

    plain = found(made(lambda: Net(nn.Conv2d(8, 8, 1, bias=False))), "flops")["flops"]
    low = found(made(lambda: Net(LowRank())), "flops")["flops"]
    assert low == pytest.approx(plain + 8 * 2 * 8 / 1e6, rel=1e-12)


def test_what_is_mapped_or_leaves_torch_is_refused() -> None:
    layer = conv().double()
    mapped = Function(torch.vmap(lambda each: layer(each[None])[0]))
    left = Function(lambda x: x + torch.from_numpy(np.maximum(x.detach().numpy(), 0)))
    for part in (mapped, left):
        for value in found(made(lambda each=part: Net(each)), "flops", "nwot").values():
            assert isinstance(value, str)


def test_a_part_without_gradients_has_none_in_any_score() -> None:
    class Off(nn.Module):
        def __init__(self, *, detached: bool) -> None:
            super().__init__()
            self.conv, self.detached = conv(), detached

        def forward(self, x: Tensor) -> Tensor:
            if self.detached:
                return x + self.conv(x).detach()
            with torch.no_grad():
                y = self.conv(x)
            return x + y

    names = ("grasp", "gradsign", "ntk", "vkdnw", "snip", "fisher", "nwot")
    off, detached = (made(lambda on=on: Net(Off(detached=on))) for on in (False, True))
    assert_same(found(off, *names), found(detached, *names))


def test_a_backward_of_ones_own_counts_in_grasp() -> None:
    """A hook that doubles what goes backward, beside autograd twice."""
    module = made(lambda: Net(conv()))
    module.between.register_full_backward_hook(lambda _, back, __: tuple(2 * b for b in back))
    given = batch()
    weights = [layer.weight for layer in (module.stem, module.between, module.head)]
    loss = functional.cross_entropy(module.train()(given.images), given.labels)
    first = torch.autograd.grad(loss, weights, create_graph=True)
    second = torch.autograd.grad(sum((g * g.detach()).sum() for g in first), weights)
    expected = -sum(float((w * h).sum().detach()) for w, h in zip(weights, second, strict=True))
    assert found(module, "grasp")["grasp"] == pytest.approx(expected, rel=1e-9)


def test_one_image_may_go_another_way_than_several() -> None:
    class Way(nn.Module):
        def __init__(self, *, single: bool) -> None:
            super().__init__()
            self.a, self.b, self.single = conv(), conv(), single

        def forward(self, x: Tensor) -> Tensor:
            return self.a(x) if len(x) > 1 and not self.single else self.b(x)

    by_number, single = (made(lambda on=on: Net(Way(single=on))) for on in (False, True))
    assert_same(found(by_number, "gradsign", "ntk"), found(single, "gradsign", "ntk"))


def test_a_norm_written_out_is_no_batch_norm_to_zen() -> None:
    def norm(x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, (0, 2, 3), keepdim=True, correction=0)
        return (x - mean) / (variance + 1e-5).sqrt()

    scores = found(made(lambda: Net(Function(norm))), "zen", "synflow", "logsynflow")
    assert all("batch norms alone, got var_mean" in str(told) for told in scores.values())


class Keeping(nn.Module):
    """Keeps something between calls; what, its subclasses say."""

    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor | None = None
        self.calls = 0
        self.own = random.Random(5)
        self.scale = nn.Parameter(torch.ones(1, 8, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class FirstMean(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        if self.mean is None:
            self.mean = x.detach().mean((0, 2, 3), keepdim=True)
        return x - self.mean


class MeanOfEachBatch(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.detach().mean((0, 2, 3), keepdim=True)


class Counting(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Unchanged(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        return x


class OwnGenerator(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        return x * self.own.random()


class WritesItsScale(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            self.scale.copy_(1 / x.std((0, 2, 3), keepdim=True))
        return x * 1


class Hooked(Keeping):
    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad:
            x.register_hook(lambda gradient: -2 * gradient)
        return x


@pytest.mark.parametrize(
    ("keeping", "plainly"), [(FirstMean, MeanOfEachBatch), (Counting, Unchanged)]
)
def test_no_run_sees_what_another_left_in_an_attribute(
    keeping: type[Keeping], plainly: type[Keeping]
) -> None:
    module = made(lambda: Net(keeping()))
    assert_same(found(module), found(made(lambda: Net(plainly()))))
    left: Any = module.between
    assert (left.mean, left.calls) == (None, 0)


@pytest.mark.parametrize(
    ("keeping", "why"),
    [
        (OwnGenerator, "another output each time it runs"),
        (WritesItsScale, "writes to its parameter between.scale"),
    ],
)
def test_a_network_that_is_no_function_of_its_images_has_no_score(
    keeping: type[Keeping], why: str
) -> None:
    module = made(lambda: Net(keeping()))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    scores = found(module, "snip", "synflow", "jacov", "zen", "zico", "flops")
    others = {name: reason for name, reason in scores.items() if why not in str(reason)}
    assert others == {}
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


def test_grasp_follows_a_hook_on_an_activation() -> None:
    module = made(lambda: Net(Hooked()))
    given = batch()
    weights = [part.weight for part in module.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    loss = nn.functional.cross_entropy(module.train()(given.images), given.labels)
    gradients = torch.autograd.grad(loss, weights, create_graph=True)
    along = sum((each * each.detach()).sum() for each in gradients)
    products = torch.autograd.grad(along, weights)
    expected = -sum(float((w.detach() * h).sum()) for w, h in zip(weights, products, strict=True))
    assert found(module, "grasp")["grasp"] == pytest.approx(expected, rel=1e-9)


def test_the_callers_autocast_changes_no_score() -> None:
    names = ("snip", "zen", "jacov", "epsilon")
    expected = found(made(lambda: Net(conv())), *names)
    with torch.autocast("cpu", torch.bfloat16):
        assert_same(found(made(lambda: Net(conv())), *names), expected)
