"""Keep freed memory in the process, where large tensors come and go.

glibc gives large blocks back to the system when they are freed, and faults them in anew, page by
page, when the next tensor of that size is made. For a forward and backward pass over a
NAS-Bench-201 cell that is a third of the time. Kept, the process holds what it held at most.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_MMAP = 32 << 20
"""The most that glibc takes."""


def keep_freed() -> bool:
    """Ask the C library to keep freed memory; say whether it does."""
    if sys.platform != "linux":
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is None:
        return False
    kept = set_option(_MMAP_THRESHOLD, _LARGEST_MMAP), set_option(_TRIM_THRESHOLD, 1 << 30)
    return all(kept)
