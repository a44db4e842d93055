"""The verbs, as a stranger calls them: names or objects in, frames out."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bench
from bench.base import Problem
from bench.spaces.nasbench201 import NASBENCH201

TASK = "nasbench201/digits"
"""It comes with the package."""


class Sampling:
    """Draws at random, as the simplest searcher would."""

    def __init__(self, problem: Problem, rng: np.random.Generator, *, at_once: int = 1) -> None:
        self._space, self._rng = problem.space, rng

    def ask(self):
        return self._space.sample(self._rng)

    def tell(self, arch, validation) -> None:
        pass


def convolutions(graph) -> float:
    """How many operations of a cell are convolutions."""
    return float(sum("conv" in name for name in graph.operations))


def test_importing_bench_loads_nothing_heavy() -> None:
    code = (
        "import sys, bench; assert dir(bench); "
        "print(sorted({'torch', 'pandas', 'numpy', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_says_what_it_is() -> None:
    for name in bench.__all__:
        assert getattr(bench, name).__doc__
    assert set(bench.__all__) <= set(dir(bench))
    with pytest.raises(AttributeError, match="has no attribute 'corelate'"):
        _ = bench.corelate


def test_a_task_is_short_to_look_at_and_a_frame_to_work_with() -> None:
    task = bench.load_task(TASK)
    assert repr(task).startswith(f"Task({TASK}: 1,500 architectures of nasbench201, ")
    assert len(repr(task)) < 200
    frame = task.to_frame()
    assert len(frame) == 1500
    assert {"arch", "validation", "test", "score:synflow"} <= set(frame.columns)
    assert frame["score:params"].to_numpy().tolist() == task.table.scores["params"].tolist()


def test_a_file_of_ones_own_is_a_task(tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    archs = [NASBENCH201.text((i, 0, 0, 1, 1, 2)) for i in range(5)]
    pd.DataFrame({"arch": archs, "test": range(5), "synflow": range(5)}).to_csv(own, index=False)
    task = bench.load_task(own, space="nasbench201", search_on="test", quiet=True)
    assert task.to_frame()["score:synflow"].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(bench.BenchError, match="options among dataset"):
        bench.load_task(own, space="nasbench201", data="x")


def test_correlate_takes_names_and_functions_and_says_what_is_not_recorded() -> None:
    found = bench.correlate([TASK], ["synflow", convolutions], resamples=100)
    task = bench.load_task(TASK)
    frame = task.to_frame()
    expected = stats.kendalltau(frame["score:synflow"], frame[found["truth"].iloc[0]]).statistic
    assert found["kendall"].iloc[0] == pytest.approx(expected, abs=1e-12)
    counted = [convolutions(NASBENCH201.graph(NASBENCH201.parse(arch))) for arch in frame["arch"]]
    expected = stats.kendalltau(counted, frame[found["truth"].iloc[0]]).statistic
    assert found["proxy"].tolist() == ["synflow", "convolutions"]
    assert found["kendall"].iloc[1] == pytest.approx(expected, abs=1e-12)


def test_one_missing_proxy_is_a_row_and_ends_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = bench.correlate(TASK, ("synflow", "params"), resamples=100)
    assert found["error"].isna().all()
    with pytest.raises(bench.BenchError, match="no proxy 'synflw'"):
        bench.correlate(TASK, "synflw", resamples=100)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: bench.correlate([], "synflow"), "at least one task, got none"),
        (lambda: bench.correlate(3, "synflow"), "not iterable|tasks or their names"),
        (lambda: bench.correlate([3], "synflow"), "tasks or their names, got int"),
        (lambda: bench.correlate(TASK, resamples=10), "resamples to be a whole number from 100"),
        (
            lambda: bench.correlate(TASK, resamples="100"),
            "whole number from 100 to 100000, got '100'",
        ),
        (lambda: bench.correlate(TASK, seed=-1), "seed to be a whole number from 0"),
        (lambda: bench.correlate(TASK, [("", convolutions)]), "name is a text without commas"),
        (lambda: bench.search(TASK, "random", queries=2.5), "whole number from 1 .*got 2.5"),
        (lambda: bench.search(TASK, "random", queries=1, seeds=range(3)), "got range"),
        (lambda: bench.score(None, "snip"), "a mapping of names to modules.* got NoneType"),
        (lambda: bench.score({"a": None}, "snip"), "got NoneType"),
        (lambda: bench.score("nasbench201", "snip", sample=2.5), "sample to be a whole number"),
        (lambda: bench.score("nasbench201", "snip", archs="|nor|"), "archs to be a list of texts"),
        (lambda: bench.score("nasbench201", "snip", sample=1, shape="c=4"), "shape as a mapping"),
        (lambda: bench.score("nasbench201", "snip", sample=1, device="foo"), "device"),
        (lambda: bench.score("nasbench201", "snip", sample=1, passes=[1]), "passes as a mapping"),
        (lambda: bench.score("nasbench201", "snip", sample=1, seed=2**70), "seed to be a whole"),
        (lambda: bench.load_task("x.csv", space="opaque", columns="a=b"), "columns to be a list"),
        (lambda: bench.correlate(TASK, [("synflow", convolutions)]), "'synflow' twice"),
        (lambda: bench.correlate(TASK, [convolutions, ("convolutions", abs)]), "twice"),
        (lambda: bench.correlate(TASK, [partial(abs)]), "objects with a name"),
        (lambda: bench.search(TASK, "random"), "queries= or seconds=, got neither"),
        (lambda: bench.search(TASK, "random", queries=1, seconds=1), "got both"),
        (lambda: bench.search(TASK, "random", queries=0), "queries"),
        (
            lambda: bench.search(TASK, "random", queries=1, seeds=0),
            "seeds to be a whole number from 1 .*got 0",
        ),
        (lambda: bench.predict(TASK, "forest", queries=-1), "queries to be a whole number from 0"),
        (lambda: bench.list_members("proxy"), "a kind among spaces"),
        (lambda: bench.score(3, "snip"), "a torch module, a mapping"),
        (lambda: bench.score({}, "snip"), "got no model"),
        (lambda: bench.score("nasbench201", "snip"), "sample= or archs="),
        (lambda: bench.score("nasbench201", "snip", sample=1, images=1), "got images"),
    ],
)
def test_what_is_wrong_is_said(call, says: str) -> None:
    pytest.importorskip("torch")
    with pytest.raises((bench.BenchError, TypeError), match=says):
        call()


def test_search_gives_rows_traces_and_a_summary() -> None:
    task = bench.load_task(TASK)
    searchers = ["random", Sampling, ("again", partial(Sampling, at_once=2))]
    found = bench.search(task, searchers, queries=5, seeds=3)
    rows, traces, summary = found.to_frame(), found.traces(), found.summary()
    assert rows["searcher"].unique().tolist() == ["random", "Sampling", "again"]
    assert len(rows) == 9
    assert len(traces) == 45
    assert (traces.groupby(["searcher", "seed"])["validation"].max() > 0).all()
    best = traces.groupby(["searcher", "seed"])["validation"].max()
    picked = rows.set_index(["searcher", "seed"])["validation"]
    assert (best.loc[picked.index] == picked).all()
    assert summary.set_index("searcher")["regret"]["random"] == pytest.approx(
        rows[rows["searcher"] == "random"]["regret"].mean()
    )
    # One stream of draws: a searcher of ours that draws alike finds alike.
    assert rows["validation"][:3].tolist() == rows["validation"][3:6].tolist()
    assert "Sampling" in repr(found)
    assert found._repr_html_().startswith("<table")


def test_searchers_are_compared_by_seed_with_a_reference() -> None:
    found = bench.search(
        TASK, ["random", "local-search", "regularised-evolution,population=5"], queries=15, seeds=12
    )
    table = found.to_frame().pivot_table("regret", "seed", "searcher")
    compared = found.compare("random").set_index("searcher")
    assert [*compared.index] == ["local-search", "regularised-evolution,population=5"]
    for name, row in compared.iterrows():
        differences = table[name] - table["random"]
        assert row["difference"] == pytest.approx(differences.mean())
        assert row["low"] < row["difference"] < row["high"]
        assert (row["better"], row["worse"]) == ((differences > 0).sum(), (differences < 0).sum())
        assert row["p"] == pytest.approx(stats.wilcoxon(differences.round(9)).pvalue, abs=1e-9)
    assert compared["p_holm"].max() >= compared["p"].max()
    assert len(found.compare(of="test_regret")) == 2
    with pytest.raises(bench.BenchError, match="another searcher among random"):
        found.compare("randm")
    with pytest.raises(bench.BenchError, match="of='regret' or 'test_regret', got 'test'"):
        found.compare(of="test")


def test_a_search_that_raises_is_a_row_with_its_reason() -> None:
    class Broken(Sampling):
        def ask(self):
            raise RuntimeError("out of ideas")

    found = bench.search(TASK, [Broken, "random"], queries=2, seeds=2)
    rows = found.to_frame()
    assert found.compare("random")["seeds"].tolist() == [0]
    assert rows["error"][:2].tolist() == ["RuntimeError: out of ideas"] * 2
    assert found.summary().set_index("searcher")["failed"].to_dict() == {"Broken": 2, "random": 0}


def test_predict_gives_rows_and_scores() -> None:
    pytest.importorskip("sklearn")
    found = bench.predict(TASK, "forest,scored=50", queries=5, seeds=2)
    assert found.to_frame()["status"].tolist() == ["ok", "ok"]
    assert len(found.scores_frame()) > 0


def test_correlations_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    found = bench.correlate(TASK, ["synflow", "params", convolutions], resamples=100)
    (axes,) = bench.plot.heatmap(found)
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        *found.sort_values("kendall", ascending=False)["proxy"]
    ]
    axes.figure.savefig(tmp_path / "heatmap.png")
    assert (tmp_path / "heatmap.png").stat().st_size > 1000
    with pytest.raises(bench.BenchError, match="without proxy, task"):
        bench.plot.heatmap(pd.DataFrame({"kendall": [1.0]}))


def test_searches_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    found = bench.search(TASK, ["random", "local-search"], queries=12, seeds=10)
    (axes,) = bench.plot.regret(found)
    traces = found.traces()
    best = traces.groupby(["searcher", "seed"])["validation"].cummax()
    optimum = bench.load_task(TASK).to_frame()["validation"].max()
    for line in axes.get_lines():
        mine = traces["searcher"] == line.get_label()
        regrets = (optimum - best[mine]).groupby(traces["queries"][mine]).mean()
        assert np.asarray(line.get_ydata()) == pytest.approx(regrets.to_numpy(), abs=1e-9)
    assert len(axes.get_lines()) == 2
    with pytest.raises(bench.BenchError, match="unit='queries' or 'seconds', got 'epochs'"):
        bench.plot.regret(found, "epochs")


def test_models_are_scored_by_names_and_objects() -> None:
    torch = pytest.importorskip("torch")

    class Small(torch.nn.Sequential):
        def __init__(self, width: int) -> None:
            super().__init__(torch.nn.Flatten(), torch.nn.Linear(12, width), torch.nn.ReLU(),
                             torch.nn.Linear(width, 3))  # fmt: skip

    def images_seen(forward) -> float:
        return float(len(forward.logits))

    images = torch.randn(4, 3, 2, 2)
    models = {"narrow": Small(2), "wide": Small(4)}
    found = bench.score(models, ["params", images_seen], (images, torch.tensor([0, 1, 2, 0])))
    table = found.pivot_table("value", "model", "proxy")
    assert table["params"].to_dict() == {"narrow": 35e-6, "wide": 67e-6}
    assert set(table["images_seen"]) == {4}
    every = bench.score(models["wide"], images=images, quiet=True)
    assert {"snip", "jacov", "zen"} <= set(every["proxy"])
    assert every["error"].notna().sum() < len(every)


def test_labels_that_are_not_given_are_drawn_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
    images = torch.randn(4, 3, 2, 2)
    first, again = (bench.score(model, ["snip"], images) for _ in range(2))
    assert first["value"].tolist() == again["value"].tolist()
    assert "labels of 4 images drawn by seed 0, among 3 classes" in capsys.readouterr().err
    bench.score(model, ["snip"], images, quiet=True)
    assert capsys.readouterr().err == ""


def test_scoring_leaves_the_callers_generators_alone_and_frames_are_alike() -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(12, 4), torch.nn.Dropout(), torch.nn.Linear(4, 3)
    )
    images, before = torch.randn(4, 3, 2, 2), torch.get_rng_state()
    found = bench.score(model, (name for name in ("snip", "nwot")), images, quiet=True)
    assert torch.equal(torch.get_rng_state(), before)
    assert found["error"][0] is None
    assert found["error"][1] == "undefined: the network has no ReLU"
    assert bench.score(model, "snip", images, quiet=True)["error"].tolist() == [None]
    with pytest.raises(bench.BenchError, match="labels as whole numbers, got torch.float32"):
        bench.score(model, "snip", (images, torch.tensor([0.5, 1, 2, 0])))
    with pytest.raises(bench.BenchError, match="labels beside the images, as the model"):
        bench.score(model, "snip", torch.randn(4, 3, 5, 5))


def test_undefined_is_nan_in_columns_of_numbers() -> None:
    found = bench.correlate(TASK, [("constant", lambda graph: 1.0), "params"], resamples=100)
    assert found["kendall"].dtype == float
    assert found["kendall"].isna().tolist() == [True, False]
    with pytest.raises(bench.BenchError, match="all scores are equal"):
        bench.correlate(TASK, [("constant", lambda graph: 1.0)], resamples=100)


def test_architectures_are_scored_beside_their_accuracy(data: Path) -> None:
    pytest.importorskip("torch")
    found = bench.score(
        "nasbench201", ["params", "flops"], sample=3, dataset="noise,size=8", batch=8,
        against="nasbench201/cifar10-valid",
    )  # fmt: skip
    task = bench.load_task("nasbench201/cifar10-valid").to_frame().set_index("arch")
    truth = found.columns[-1]
    assert len(found) == 6
    assert found[truth].tolist() == task.loc[found["arch"], truth].tolist()
