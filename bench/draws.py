"""Random generators by key: the same key gives the same draws, whatever was drawn before.

A weight's key is the seed and its name, so the weights of one edge and operation are the same in
every architecture that has them. numpy draws, not torch: its streams do not change with versions
or devices.
"""

from __future__ import annotations

from hashlib import sha256

import numpy as np


def keyed(seed: int, *key: str | int) -> np.random.Generator:
    """Return the generator of a seed and a key.

    >>> bool(keyed(0, "stem").random() == keyed(0, "stem").random())
    True
    >>> bool(keyed(0, "stem").random() == keyed(1, "stem").random())
    False
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in key)])
    return np.random.Generator(
        np.random.Philox(key=int.from_bytes(sha256(text.encode()).digest()[:16]))
    )
