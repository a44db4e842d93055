"""fisher: what the loss would lose with each channel, by its activations.

Theis et al.'s channel saliency is spread over all weights of the channel and summed, so each
channel counts as often as it has weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.proxies.computed import Computed, UnrecognisedError

if TYPE_CHECKING:
    from bench.proxies.passes.loss_gradients import LossGradients


def score(gradients: LossGradients) -> float:
    """Sum the saliency of all output channels, each as often as it has weights.

    Raises UnrecognisedError where a layer's outputs are not known image by image.
    """
    if gradients.saliency_fault:
        raise UnrecognisedError(gradients.saliency_fault)
    total = 0.0
    for layer in gradients.layers:
        channels = 0.5 * (layer.saliency**2).mean(0)
        total += float(channels.abs().sum()) * layer.weight[0].numel()
    return total


fisher = Computed(
    name="fisher",
    function=score,
    passes=("loss_gradients",),
    needs=frozenset({"weights", "data", "labels", "gradients"}),
    paper="Turner et al., ICLR 2020, arXiv:1906.04113",
    follows="NASLib, branch zerocost @8c45f19",
    definition="sum of half the mean squared activation times gradient, by weight",
    deviations=(
        "a layer that is called several times counts the sum of its calls, not the last one",
    ),
)
