"""naswot: how differently images switch the network's ReLUs, as FreeREA computes it.

FreeREA looks at what comes out of ReLUs, nwot at what goes in: the same bits. What tells its
recorded values from nwot's is where the initial weights come from.
"""

from __future__ import annotations

from bench.proxies.computed import Computed
from bench.proxies.nwot import score

naswot = Computed(
    name="naswot",
    function=score,
    passes=("forward",),
    needs=frozenset({"weights", "data"}),
    paper="Mellor et al., ICML 2021, arXiv:2006.04647",
    follows="NiccoloCavagnero/FreeREA @9c2a726",
    definition="log |det K|, K how many ReLU outputs agree in being on between two images",
    deviations=(
        "the network's own weights once, not the mean over three Kaiming normal initialisations",
        "K is exact and its determinant float64, where the reference has float32",
    ),
)
