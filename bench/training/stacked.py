"""Train many architectures of one space as one tensor: each as if it were alone.

`a` networks lie side by side as lanes of channels (`bench.networks.Stack`): convolutions are
grouped, norms are per channel, a classifier has its lane's features. One optimiser works on the
stacked weights. The sum of the losses has for each lane the gradient of its own, and momentum,
decay and schedule act on each weight by itself, so weights move as they would alone. A lane that
diverges stays by itself: nothing goes from lane to lane, neither forward nor backward.

In exact arithmetic that is an identity. In float64 all weights agree to 1e-9 after some steps
(tests/training/test_stacked.py). In float32, kernels for another number of lanes sum gradients in
another order, and a whole training magnifies the roundings: final accuracies then differ, no more
than between two seeds. So the bits of a result depend, besides recipe and seed, on which
architectures were stacked, in which order: whoever wants to repeat them keeps the stack.
"""

from __future__ import annotations

from typing import Protocol

from torch import nn

from bench.training.data import Split
from bench.training.recipe import Recipe
from bench.training.trainer import Trained, fit


class Stack(Protocol):
    """`a` networks as one module, an architecture a lane; `bench.networks.Stack` is one."""

    size: int
    """`a`."""
    module: nn.Module
    """With initial weights; maps `n x (a*3) x h x w` to `n x (a*classes)`."""


def train_stack(stack: Stack, split: Split, recipe: Recipe, seed: int) -> list[Trained]:
    """Train the networks of a stack in place, on the same batches.

    Args:
        stack: `a` networks.
        split: Images, of the recipe's size and classes.
        recipe: How.
        seed: Of the order and the augmentation of images.

    Returns:
        For each of `a` networks what `train` returns for it alone; `seconds` is its share.

    Raises:
        OptionError: The recipe's batch is larger than the training set.
        DataError: Images are not of the recipe's size, or logits not as many as its classes.
    """
    return fit(stack.module, stack.size, split, recipe, seed)
