from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics.pareto import pareto_front

NUMBERS = st.sampled_from([0.0, 1.0, 2.0, 3.0, -np.inf, np.inf, np.nan])


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12))
def test_the_front_is_what_no_other_row_beats(pairs: list[tuple[float, float]]) -> None:
    costs, values = np.array(pairs, dtype=np.float64).reshape(-1, 2).T

    def beaten(row: int) -> bool:
        return any(
            costs[i] <= costs[row]
            and values[i] >= values[row]
            and (costs[i], values[i]) != (costs[row], values[row])
            for i in range(len(costs))
            if np.isfinite([costs[i], values[i]]).all()
        )

    expected = [
        bool(np.isfinite([costs[row], values[row]]).all()) and not beaten(row)
        for row in range(len(costs))
    ]
    assert pareto_front(costs, values).tolist() == expected


def test_columns_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \(2,\) and \(1,\)"):
        pareto_front([1.0, 2.0], [1.0])
