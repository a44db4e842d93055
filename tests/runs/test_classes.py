"""Classes of architectures that compute the same function."""

from __future__ import annotations

import pytest
from toy import TOY

from bench.base import ArchError
from bench.runs.classes import of_function


def test_equal_numbers_are_equal_functions_in_the_order_met() -> None:
    texts = [TOY.text(arch) for arch in ((1, 2, 3), (0, 0, 1), (3, 2, 1), (0, 0, 1), (2, 2, 2))]
    assert of_function(TOY, texts).tolist() == [0, 1, 0, 1, 2]
    assert of_function(TOY, []).tolist() == []
    with pytest.raises(ArchError):
        of_function(TOY, ["none"])
