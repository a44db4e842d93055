"""What holds for every proxy that is computed live, members to come included."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bench.proxies
from bench.base import Proxy
from bench.networks import Weights, network
from bench.proxies import COMPUTED, PROXIES
from bench.proxies.computed import PASS_NAMES, Computed
from bench.proxies.live import Batch, Result, score
from bench.proxies.passes import PASSES
from bench.spaces.nasbench201 import NASBENCH201

FOLDER = Path(bench.proxies.__file__).parent
NEEDS = {"weights", "data", "labels", "gradients"}
CELL = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|nor_conv_3x3~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

every = pytest.mark.parametrize("proxy", COMPUTED, ids=lambda proxy: proxy.name)


def cell(text: str = CELL, seed: int = 0) -> nn.Module:
    return network("nasbench201", NASBENCH201.parse(text), Weights(seed), channels=4, cells=1)


def batches(seed: int = 0, labels: int = 0) -> list[Batch]:
    rng, other = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(labels)
    return [
        Batch(torch.randn(20, 3, 16, 16, generator=rng), torch.randint(10, (20,), generator=other))
        for _ in range(2)
    ]


def alone(proxy: Computed, module: nn.Module, given: list[Batch], seed: int = 0) -> Result:
    return score(module, given, [proxy], seed=seed)[proxy.name]


@pytest.fixture(scope="module")
def found() -> dict[str, Result]:
    return score(cell(), batches(), COMPUTED)


def test_names_are_all_different() -> None:
    names = [proxy.name for proxy in PROXIES]
    assert len(set(names)) == len(names)
    assert len(COMPUTED) >= 22


@every
def test_facts(proxy: Computed) -> None:
    assert isinstance(proxy, Proxy)
    assert re.fullmatch(r"[a-z][a-z0-9_]*", proxy.name)
    assert proxy.needs <= NEEDS
    assert "weights" in proxy.needs
    assert proxy.passes
    assert set(proxy.passes) <= set(PASS_NAMES)
    assert re.search(r"\b(19|20)\d\d\b", proxy.paper), "the year"
    assert re.search(r"@[0-9a-f]{7}|^nothing$", proxy.follows), "the commit"
    for text in (proxy.definition, *proxy.deviations):
        assert text == text.strip().rstrip(".")
        assert text
    assert proxy.function.__doc__ or proxy.function.func.__doc__  # type: ignore[attr-defined]


def test_every_pass_is_read_by_a_proxy() -> None:
    read = {name for proxy in COMPUTED for name in proxy.passes}
    behind = {name for each in PASSES.values() for name in each.after}
    assert set(PASSES) - read - behind <= {"network", "sample"}


def imported(path: Path) -> Iterator[str]:
    """What a file imports at its top, type checking aside."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


LISTED = sorted({name.rpartition(".")[2] for name in imported(FOLDER / "__init__.py")} - {"base"})


@pytest.mark.parametrize("stem", LISTED)
def test_a_proxys_file_imports_no_torch(stem: str) -> None:
    heavy = re.compile(r"torch\b|bench\.proxies\.(passes|live)\b|bench\.kernels\b")
    assert not [name for name in imported(FOLDER / f"{stem}.py") if heavy.match(name)]


@every
def test_an_ordinary_network_has_a_finite_score(proxy: Computed, found: dict[str, Result]) -> None:
    result = found[proxy.name]
    assert result.error is None
    assert type(result.value) is float
    assert np.isfinite(result.value)
    assert result.seconds > 0


@every
def test_the_same_bytes_alone_and_in_company(proxy: Computed, found: dict[str, Result]) -> None:
    assert alone(proxy, cell(), batches()).value == found[proxy.name].value


@every
def test_other_weights_give_another_score(proxy: Computed, found: dict[str, Result]) -> None:
    """But of counts, of what sets the weights itself, and of numbers of patterns."""
    other = alone(proxy, cell(seed=1), batches()).value
    counts = {"params", "flops", "epsilon", "epsilon_defined", "zen", "linear_regions", "vkdnw"}
    if not proxy.name.startswith(("swap", "az_")) and proxy.name not in counts:
        assert other != found[proxy.name].value


@every
def test_needs_tell_whether_images_matter(proxy: Computed, found: dict[str, Result]) -> None:
    other = alone(proxy, cell(), batches(seed=1)).value
    if "data" not in proxy.needs:
        assert other == found[proxy.name].value
    elif proxy.name not in {"swap", "swap_reg", "linear_regions", "vkdnw"}:
        assert other != found[proxy.name].value


@every
def test_needs_tell_whether_labels_matter(proxy: Computed, found: dict[str, Result]) -> None:
    other = alone(proxy, cell(), batches(labels=1)).value
    assert (other != found[proxy.name].value) == ("labels" in proxy.needs)


@every
def test_needs_tell_whether_gradients_are_taken(
    proxy: Computed, found: dict[str, Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    for place, name in (
        (torch.autograd, "grad"),
        (torch.autograd, "backward"),
        (torch.Tensor, "backward"),
    ):
        monkeypatch.setattr(place, name, refuse)
    result = alone(proxy, cell(), batches())
    shares_a_pass = {"az_expressivity", "az_progressivity"}  # With az_trainability.
    if "gradients" in proxy.needs:
        assert result.error == "PermissionError"
    elif proxy.name in shares_a_pass:
        assert result.error in {None, "PermissionError"}
    else:
        assert result.value == found[proxy.name].value


@every
@pytest.mark.parametrize(
    "change", [lambda m: m.double(), lambda m: m.to(memory_format=torch.channels_last)],
    ids=["float64", "channels last"],
)  # fmt: skip
def test_any_type_and_layout(
    proxy: Computed, change: Callable[[nn.Module], nn.Module], found: dict[str, Result]
) -> None:
    """Counts of patterns and signs may flip where a value is 0 but for rounding."""
    result = alone(proxy, change(cell()), batches())
    assert result.error is None
    assert result.value == pytest.approx(found[proxy.name].value, rel=0.02)


@every
def test_a_cell_without_any_path_has_a_value_or_a_reason(proxy: Computed) -> None:
    result = alone(proxy, cell(EMPTY), batches())
    assert (result.value is None) != (result.error is None)
    assert result.error is None or re.match(r"undefined: .+|non-finite$", result.error)


@every
@pytest.mark.parametrize("n", [1, 2])
def test_few_images_give_a_value_or_a_reason(proxy: Computed, n: int) -> None:
    given = [Batch(batch.images[:n], batch.labels[:n]) for batch in batches()[:1]]
    result = alone(proxy, cell(), given)
    assert (result.value is None) != (result.error is None)
    assert result.error is None or re.match(
        r"undefined: .+|non-finite$|OptionError: .+", result.error
    )
