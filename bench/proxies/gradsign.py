"""gradsign: how far single images agree on which way each weight should go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed

if TYPE_CHECKING:
    from bench.proxies.passes.sample_gradients import Agreement


def score(sign_agreement: Agreement) -> float:
    """Sum |sum over images of sign(gradient)| over all weights of layers."""
    return sign_agreement.total


gradsign = Computed(
    name="gradsign",
    function=score,
    passes=("sign_agreement",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Zhang and Jia, ICLR 2022, arXiv:2110.08616",
    follows="cmu-catalyst/GradSign @b9c747c, grad_conflict.py",
    definition="sum over weights of |sum over 16 images of sign(gradient of the loss)|",
    deviations=(
        (
            "images run together, each normalised by its own statistics: the reference's one "
            "forward and backward an image, exactly"
        ),
        "the first 16 images of the minibatch; the reference takes 128",
        "a norm over a single position, at which the reference fails, takes the batch's statistics",
    ),
)
