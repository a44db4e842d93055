"""The live scorer: any network, the proxies asked for, each pass they read run once.

The network is left as it was found, and so are the global random states.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Any, TypeAlias

import torch
from torch import nn

from bench.base import OptionError
from bench.proxies.computed import Computed, UndefinedError, UnrecognisedError
from bench.proxies.passes import pass_of
from bench.proxies.passes.network import Batch, Network, device_of, full_precision, reseed, seeded
from bench.proxies.passes.written_out import written_out

__all__ = ["Batch", "Result", "score"]

Watch: TypeAlias = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Result:
    """One proxy's score of one network, or why there is none."""

    value: float | None
    seconds: float
    """What it would have taken alone: the passes it reads, and itself."""
    error: str | None
    """`undefined: ...`, `unrecognised: ...`, `non-finite`, or the class of an error; None where
    there is a value."""


@dataclass
class _Ran:
    """A pass that was run: its record, or why it failed."""

    record: Any
    seconds: float
    error: str | None


def score(
    module: nn.Module,
    batches: Batch | Sequence[Batch],
    proxies: Sequence[Computed],
    *,
    seed: int = 0,
    watch: Watch = nullcontext,
) -> dict[str, Result]:
    """Score one untrained network by many proxies.

    Args:
        module: Any classifier of images; it is called in training mode.
        batches: One minibatch, or several for proxies that compare them.
        proxies: What to compute.
        seed: For the draws that passes make (Gaussian weights, noise).
        watch: Gives, for a pass's name, a context in which that pass is run.

    Returns:
        A result by proxy. A failure is a result with a reason, and does not stop the others.

    Raises:
        OptionError: Where there is no minibatch, or one of a wrong shape.
    """
    module = _plain(module)
    device, dtype = device_of(module)
    stored = tuple(module.parameters())
    given = [batches] if isinstance(batches, Batch) else list(batches)
    check_batches(given)
    # Whatever the caller's mode is: tensors made in inference mode are of no use to gradients.
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(device.type, enabled=False),
        training_mode(module),
        seeded(seed, device),
        full_precision(),
        written_out(module),
    ):
        moved = [
            Batch(
                batch.images.detach().to(device=device, dtype=dtype, copy=True),
                batch.labels.detach().to(device=device, dtype=torch.int64, copy=True),
            )
            for batch in given
        ]
        network = Network(module, moved, seed, stored=stored)
        runner = _Runner(network, watch)
        # A checkpoint runs a part again whenever a pass goes backward: it writes to copies.
        with network.holding(network.buffers()):
            return {proxy.name: runner.score(proxy) for proxy in proxies}


class _Runner:
    """Runs passes as they are asked for, each once."""

    def __init__(self, network: Network, watch: Watch) -> None:
        self._network = network
        self._watch = watch
        self._ran: dict[str, _Ran] = {}

    def score(self, proxy: Computed) -> Result:
        """Score by one proxy, from passes that ran already or are run now."""
        ran = [self._pass(name) for name in proxy.passes]
        before = sum(self._pass(name).seconds for name in behind(proxy.passes))
        failed = next((each.error for each in ran if each.error), None)
        return evaluate(proxy, lambda: [each.record for each in ran], before, failed)

    def _pass(self, name: str) -> _Ran:
        """Run a pass, and those it starts from."""
        if name not in self._ran:
            after = [self._pass(other) for other in pass_of(name).after]
            failed = next((ran.error for ran in after if ran.error), None)
            if failed:
                self._ran[name] = _Ran(None, 0.0, failed)
            else:
                # Dropout draws alike whatever ran before.
                reseed(self._network.seed)
                start = perf_counter()
                with self._watch(name):
                    record, error = attempt(
                        lambda: pass_of(name).run(self._network, *(ran.record for ran in after))
                    )
                self._ran[name] = _Ran(record, perf_counter() - start, error)
        return self._ran[name]


def evaluate(
    proxy: Computed, records: Callable[[], Sequence[Any]], before: float, failed: str | None
) -> Result:
    """Compute a proxy from the records of its passes.

    `before` is what these took in seconds, `failed` why one of them has no record, if so.
    """
    if failed:
        return Result(None, before, failed)
    start = perf_counter()
    value, error = attempt(lambda: float(proxy.function(*records())))
    seconds = before + perf_counter() - start
    if error is None and not isfinite(value):
        value, error = None, "non-finite"
    return Result(value, seconds, error)


def behind(names: Sequence[str]) -> set[str]:
    """The passes that stand behind some, themselves among them."""
    found: set[str] = set()
    for name in names:
        found |= {name, *behind(pass_of(name).after)}
    return found


def attempt(run: Any) -> tuple[Any, str | None]:
    """What a call gives, or why it fails. A user's proxy or network may raise anything."""
    try:
        return run(), None
    except UndefinedError as error:
        return None, f"undefined: {error}"
    except UnrecognisedError as error:
        return None, f"unrecognised: {error}"
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return None, reason(error)


def reason(error: BaseException) -> str:
    """An error in a line: its class, and the beginning of what it says."""
    text = " ".join(str(error).split())
    name = type(error).__name__
    return f"{name}: {text[:_LONGEST]}" if text else name


_LONGEST = 160
"""Of what an error says, in a row."""


def check_batches(batches: Sequence[Batch]) -> None:
    """Raise OptionError unless every minibatch is one."""
    if not batches:
        raise OptionError("expected at least one minibatch, got none")
    kinds = [each.labels.dtype for each in batches if each.labels.is_floating_point()]
    if kinds:
        raise OptionError(f"expected labels as whole numbers, got {kinds[0]}")
    for batch in batches:
        images, labels = batch.images, batch.labels
        if images.dim() != 4 or labels.shape != images.shape[:1] or not len(images):
            raise OptionError(
                "expected images of shape n x c x h x w and n labels, "
                f"got {tuple(images.shape)} and {tuple(labels.shape)}"
            )
        if not bool(torch.isfinite(images).all()):
            raise OptionError("expected finite images, got NaN or infinities among them")


@contextmanager
def training_mode(module: nn.Module) -> Iterator[None]:
    """Put a module into training mode, and every part of it back as it was."""
    were = [(part, part.training) for part in module.modules()]
    module.train()
    try:
        yield
    finally:
        for part, training in were:
            part.training = training


def _plain(module: nn.Module) -> nn.Module:
    """The module that `torch.compile` wrapped, or the module itself."""
    inner = getattr(module, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else module
