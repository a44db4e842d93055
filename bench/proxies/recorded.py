"""Proxies whose values stand in tables: their facts, no code.

The 13 of NAS-Bench-Suite-Zero (Krishnakumar, White et al., NeurIPS 2022, arXiv:2210.03230) as its
branch `zerocost` @8c45f19 computes them, and three of FreeREA (Cavagnero et al., WACV 2023,
arXiv:2207.05135) @9c2a726. All are published as "larger is better"; where the data say otherwise
(plain on NAS-Bench-201, for one), that is a finding for the report, not a sign to be flipped here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recorded:
    """The facts of a recorded proxy (see `bench.base.Proxy`)."""

    name: str
    needs: frozenset[str]
    paper: str
    definition: str
    higher_is_better: bool = True


_WEIGHTS = frozenset({"weights"})
_DATA = frozenset({"weights", "data"})
_LABELS = frozenset({"weights", "data", "labels", "gradients"})
_GRADIENTS = frozenset({"weights", "data", "gradients"})

_ABDELFATTAH = "Abdelfattah et al., ICLR 2021, arXiv:2101.08134"

RECORDED: tuple[Recorded, ...] = (
    Recorded(
        "epe_nas",
        _LABELS,
        "Lopes et al., ICANN 2021, arXiv:2102.08099",
        "within-class correlation of the input Jacobian's rows",
    ),
    Recorded(
        "fisher",
        _LABELS,
        "Turner et al., ICLR 2020, arXiv:1906.04113",
        "squared activation times gradient, summed by channel",
    ),
    Recorded("flops", frozenset({"graph"}), "Ning et al., NeurIPS 2021", "MFLOPs of one forward"),
    Recorded("grad_norm", _LABELS, _ABDELFATTAH, "sum over layers of the gradient's norm"),
    Recorded(
        "grasp",
        _LABELS,
        "Wang et al., ICLR 2020, arXiv:2002.07376",
        "minus weight times Hessian-gradient product, summed",
    ),
    Recorded(
        "jacov",
        _GRADIENTS,
        "Mellor et al., 2020, arXiv:2006.04647v1",
        "eigenvalue spread of the correlation of the input Jacobian's rows",
    ),
    Recorded("l2_norm", _WEIGHTS, _ABDELFATTAH, "sum over layers of the weight's norm"),
    Recorded(
        "nwot",
        _DATA,
        "Mellor et al., ICML 2021, arXiv:2006.04647",
        "log-determinant of the kernel of ReLU patterns",
    ),
    Recorded("params", frozenset({"graph"}), "Ning et al., NeurIPS 2021", "millions of parameters"),
    Recorded("plain", _LABELS, _ABDELFATTAH, "weight times gradient, summed with its sign"),
    Recorded(
        "snip",
        _LABELS,
        "Lee et al., ICLR 2019, arXiv:1810.02340",
        "absolute weight times gradient, summed",
    ),
    Recorded(
        "synflow",
        frozenset({"weights", "gradients"}),
        "Tanaka et al., NeurIPS 2020, arXiv:2006.05467",
        "log of weight times gradient of the linearised network, summed",
    ),
    Recorded(
        "zen",
        _WEIGHTS,
        "Lin et al., ICCV 2021, arXiv:2102.01063",
        "log expected change of features under a Gaussian perturbation",
    ),
    Recorded(
        "naswot",
        _DATA,
        "Mellor et al., ICML 2021, arXiv:2006.04647",
        "nwot as FreeREA computes it",
    ),
    Recorded(
        "logsynflow",
        frozenset({"weights", "gradients"}),
        "Cavagnero et al., WACV 2023, arXiv:2207.05135",
        "weight times log-scaled gradient of the linearised network, summed",
    ),
    Recorded(
        "nregions",
        _DATA,
        "Chen et al., ICLR 2021, arXiv:2102.11535",
        "linear regions that a batch visits (TE-NAS), as FreeREA computes it",
    ),
)
