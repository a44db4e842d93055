from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import cophenet, linkage
from scipy.spatial.distance import squareform

from bench.metrics.clustering import Merge, average_linkage, leaf_order


def distances(p: int) -> np.ndarray:
    far = np.abs(np.random.default_rng(p).normal(size=(p, p)))
    far = far + far.T
    np.fill_diagonal(far, 0)
    return far


@pytest.mark.parametrize("p", [2, 3, 8, 20])
def test_merges_are_those_of_average_linkage(p: int) -> None:
    far = distances(p)
    merges = average_linkage(far)
    members = [{thing} for thing in range(p)]
    reached = np.zeros((p, p))
    for merge in merges:
        one, two = members[merge.first], members[merge.second]
        assert merge.height == pytest.approx(np.mean([far[i, j] for i in one for j in two]))
        for i in one:
            for j in two:
                reached[i, j] = reached[j, i] = merge.height
        members.append(one | two)
    assert members[-1] == set(range(p))
    expected = cophenet(linkage(squareform(far), "average"))
    assert squareform(reached) == pytest.approx(expected)


def test_equal_distances_are_merged_in_the_given_order() -> None:
    far = 1.0 - np.eye(4)
    merges = average_linkage(far)
    assert merges == [Merge(0, 1, 1.0), Merge(2, 3, 1.0), Merge(4, 5, 1.0)]
    assert leaf_order(far, merges) == [0, 1, 2, 3]


def test_the_order_crosses_no_merge_and_turns_near_ends_together() -> None:
    far = distances(9)
    merges = average_linkage(far)
    order = leaf_order(far, merges)
    assert sorted(order) == list(range(9))
    members = [{thing} for thing in range(9)]
    for merge in merges:
        members.append(members[merge.first] | members[merge.second])
        places = sorted(order.index(thing) for thing in members[-1])
        assert places == list(range(places[0], places[0] + len(places)))
    line = np.array([0.0, 1.0, 10.0, 11.5])[[3, 0, 2, 1]]
    far = np.abs(line[:, None] - line)
    assert line[leaf_order(far, average_linkage(far))].tolist() in (
        [0.0, 1.0, 10.0, 11.5],
        [11.5, 10.0, 1.0, 0.0],
    )


def test_one_thing_and_none_have_no_merge() -> None:
    assert average_linkage([[0.0]]) == []
    assert leaf_order([[0.0]], []) == [0]
    assert leaf_order(np.zeros((0, 0)), average_linkage(np.zeros((0, 0)))) == []


@pytest.mark.parametrize("far", [[[0.0, 1.0]], [[0.0, 1.0], [2.0, 0.0]], [[np.nan]]])
def test_foreign_distances_are_refused(far: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="wanted symmetric"):
        average_linkage(far)
