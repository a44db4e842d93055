from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.base import DataError, Floats
from bench.reports.load import load_studies
from bench.reports.own_table import (
    SeedNoise,
    gather_repeats,
    measure_noise,
    measure_tables,
    noise_tables,
)
from tests.reports.conftest import Results


def networks(a: int = 60, once: int = 20) -> tuple[list[str], list[int], Floats]:
    """Rows of networks: architectures with three seeds, then some with one, in mixed order."""
    rng = np.random.default_rng(0)
    mean = 90 + 2 * rng.normal(size=a + once)
    rows = [(f"arch-{i}", seed) for i in range(a) for seed in range(3)]
    rows += [(f"arch-{a + i}", 0) for i in range(once)]
    rows = [rows[i] for i in rng.permutation(len(rows))]
    validation = np.array([mean[int(arch[5:])] + rng.normal() for arch, _ in rows])
    return [arch for arch, _ in rows], [seed for _, seed in rows], validation


def test_rows_become_a_column_a_seed() -> None:
    values = {"test": np.array([1.0, 2.0, np.nan, 4.0])}
    found = gather_repeats(["b", "a", "b", "a"], [7, 3, 3, 7], values)
    assert (found.archs, found.seeds) == (("b", "a"), (3, 7))
    assert found.accuracy["test"].tolist()[1] == [2.0, 4.0]
    assert np.isnan(found.accuracy["test"][0, 0])
    assert found.accuracy["test"][0, 1] == 1.0
    with pytest.raises(DataError, match="once a seed in a table; got one twice"):
        gather_repeats(["a", "a"], [1, 1], {})
    with pytest.raises(DataError, match=r"one length in a table; got \[1, 2\]"):
        gather_repeats(["a", "a"], [1, 2], {"test": np.ones(1)})


def measured(scores: dict[str, Floats], maximise: bool = True) -> SeedNoise:
    archs, seeds, validation = networks()
    repeats = gather_repeats(archs, seeds, {"validation": validation if maximise else -validation})
    return measure_noise("a/x", repeats, scores, maximise=maximise)


def test_only_architectures_with_several_seeds_are_looked_at() -> None:
    (record,) = measured({}).spreads
    assert (record["architectures"], record["seeds"]) == (60, 3)
    assert record["sd_within"] == pytest.approx(1.0, rel=0.15)
    assert record["sd_between"] == pytest.approx(2.0, rel=0.25)
    assert 0.6 < record["reliability"] < 0.95
    assert record["seed_to_seed"] < record["seed_to_rest"]
    for name in ("seed_to_seed", "seed_to_rest"):
        assert record[f"{name}_low"] < record[name] < record[f"{name}_high"]


def test_proxies_stand_beside_the_ceiling() -> None:
    archs, seeds, validation = networks()
    repeats = gather_repeats(archs, seeds, {"validation": validation})
    table = repeats.accuracy["validation"]
    score = np.nanmean(table, axis=1)
    failing = score.copy()
    several = np.flatnonzero(np.isfinite(table).all(axis=1))
    failing[several[0]] = -np.inf
    failing[several[1]] = np.nan
    scores = {"bad": -score, "failing": failing, "mean": score, "never": np.full(80, np.nan)}
    noise = measured(scores)
    assert [r["proxy"] for r in noise.proxies] == ["mean", "failing", "bad", "never"]
    found = {r["proxy"]: r for r in noise.proxies}
    taus = [stats.kendalltau(score[several], table[several, i]).statistic for i in range(3)]
    assert found["mean"]["kendall"] == pytest.approx(np.mean(taus))
    assert found["mean"]["share"] == pytest.approx(np.mean(taus) / noise.spreads[0]["seed_to_rest"])
    assert found["mean"]["share_low"] < found["mean"]["share"] < found["mean"]["share_high"]
    rows_left = np.delete(several, 1)
    low = np.where(rows_left == several[0], -99, score[rows_left])
    taus = [stats.kendalltau(low, table[rows_left, i]).statistic for i in range(3)]
    assert found["failing"]["kendall"] == pytest.approx(np.mean(taus))
    assert found["failing"]["n"] == 59
    assert found["bad"]["kendall_high"] < 0
    assert found["never"]["kendall"] is found["never"]["share_low"] is None
    turned = measured(scores, maximise=False)
    assert [r["kendall"] for r in turned.proxies] == [r["kendall"] for r in noise.proxies]
    spreads, proxies = noise_tables([noise])
    assert spreads.rows[0][0].text == "a/x, validation"
    assert proxies.rows[0][1].text == "mean"
    with pytest.raises(ValueError, match=r"expected short of shape \(80,\), got \(1,\)"):
        measured({"short": np.ones(1)})


def test_a_table_of_one_seed_says_nothing() -> None:
    repeats = gather_repeats(["a", "b"], [0, 0], {"validation": np.array([1.0, 2.0])})
    noise = measure_noise("a/x", repeats, {})
    assert noise.spreads == noise.proxies == []
    assert noise_tables([noise]) == []


def test_equal_accuracies_have_no_ceiling() -> None:
    repeats = gather_repeats(["a", "a", "b", "b"], [0, 1, 0, 1], {"test": np.ones(4)})
    noise = measure_noise("a/x", repeats, {"p": np.arange(2.0)})
    assert noise.spreads[0]["seed_to_seed"] is noise.spreads[0]["reliability"] is None
    assert noise.proxies[0]["share"] is None


def test_a_made_table_is_found_with_its_proxies(results: Results) -> None:
    archs, seeds, validation = networks()
    columns = {"arch": archs, "seed": seeds, "validation": validation}
    attached = results.attach("table.parquet", columns)
    results.append(kind="table", task="space/x", run="table", **attached)
    archs = [f"arch-{i}" for i in range(50)]
    truth = np.arange(50.0)
    results.add_scores("space/x", {"validation": truth}, {"nwot": truth}, archs=archs)
    (study,) = load_studies(results.root)
    (noise,) = measure_tables(study)
    assert [r["split"] for r in noise.spreads] == ["validation"]
    assert [(r["proxy"], r["n"]) for r in noise.proxies] == [("nwot", 50)]


def test_a_made_table_without_accuracies_is_refused(results: Results) -> None:
    attached = results.attach("table.parquet", {"arch": ["a"], "seed": [0]})
    results.append(kind="table", task="space/x", run="table", **attached)
    (study,) = load_studies(results.root)
    with pytest.raises(DataError, match="expected columns arch, seed and an accuracy in .*table"):
        list(measure_tables(study))
