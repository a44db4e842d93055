from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.base import Floats, Record
from bench.reports.correlations import correlate
from bench.reports.figures.clusters import cluster_figure
from bench.reports.figures.heatmap import heatmaps
from bench.reports.figures.hexbins import hexbins
from bench.reports.figures.noise import noise_figure
from bench.reports.figures.own_table import noise_figures
from bench.reports.figures.sampling import sampling_figures
from bench.reports.figures.scatter import scatter
from bench.reports.figures.search import search_curves
from bench.reports.figures.top import best_curves, overlap_curves
from bench.reports.figures.trade_offs import front_figures, target_heatmaps
from bench.reports.noise import PAIRS
from bench.reports.own_table import Repeats, measure_noise
from bench.reports.proxy_pairs import cluster
from bench.reports.sample import draw_sample
from bench.reports.sampling import sample_networks
from bench.reports.score_sets import ScoreSet
from bench.reports.searches import Curve
from bench.reports.style import COLUMN_INCHES, PAGE_INCHES, SMALLEST_POINTS, paper_style
from bench.reports.targets import score_targets


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with paper_style():
        yield


def cell(task: str, proxy: str, tau: float | None, failed: int = 0) -> Record:
    record: Record = {"task": task, "proxy": proxy, "n": 15625, "n_failed": failed}
    low, high = (None, None) if tau is None else (tau - 0.01, tau + 0.01)
    return record | {"kendall": tau, "kendall_low": low, "kendall_high": high}


def score_set(n: int = 200, failed: int = 7, task: str = "a/x", **fields: object) -> ScoreSet:
    rng = np.random.default_rng(n)
    truth = 60 + 30 * rng.beta(4, 1.5, n)
    score = truth + rng.normal(size=n)
    score[:failed] = -np.inf
    heavy = -np.exp(rng.normal(size=n) * 4 - truth / 9)
    gaps = np.where(np.arange(n) % 2, truth, np.nan)
    facts: Record = {"metric": "accuracy_percent", "maximise": True, "truth": "validation"}
    facts |= {"accuracy": {"validation": truth}, "archs": tuple(map(str, range(n)))}
    facts |= {"scores": {"nwot": score, "jacov": heavy, "gaps": gaps, "constant": np.ones(n)}}
    return ScoreSet(task=task, space="s", dataset="x", **(facts | fields))


def measured(*sets: ScoreSet) -> list[Record]:
    rng = np.random.default_rng(0)
    return [
        record
        for each in sets
        for record in correlate(each.task, each.target, each.scores, rng=rng, resamples=5)
    ]


def curve(searcher: str, task: str = "a/x", seeds: int = 10) -> Curve:
    at = np.arange(1.0, 101.0)
    mean: Floats = 5 / at * (1 + len(searcher) / 5)
    return Curve(task, searcher, "queries", at, mean, mean * 0.9, mean * 1.1, seeds)


def noise_record(proxy: str, pair: int = 0) -> Record:
    one, mean = PAIRS[pair]
    record: Record = {"one_run": one, "seed_mean": mean, "dataset": one.split("/")[1]}
    record |= {"proxy": proxy, "n": 9445, "one_run_spearman": 0.7, "seed_mean_spearman": 0.71}
    return record | {"difference": 0.01, "low": 0.005, "high": 0.02}


def texts(figure: Figure) -> list[Text]:
    """All texts that are drawn; a tick beyond the end of its axis is not."""
    figure.draw_without_rendering()
    beyond = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [t for t in found if t.get_visible() and t.get_text().strip() and t not in beyond]


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in texts(figure)]


TASKS = ["nasbench201-suite/ImageNet16-120", "nasbench201/cifar10-valid", "x/y", "x/z"]


def one_heatmap() -> Figure:
    cells = [cell(t, p, -0.24, failed=1234) for t in TASKS for p in ("grad_norm", "nwot")]
    return heatmaps(cells)[0]


def wide_heatmap() -> Figure:
    return heatmaps([cell(f"space/t{i}", "nwot", -0.24, 1234) for i in range(10)])[0]


def points() -> Figure | None:
    return scatter(score_set(), measured(score_set()))


def hexagons() -> Figure | None:
    return hexbins(score_set(3000), measured(score_set(3000)))


def one_hexagons() -> Figure | None:
    data = score_set(2000, scores={"my_package/proxies.py:SomeProxy,power=2": np.arange(2000.0)})
    return hexbins(data, measured(data))


def top() -> Figure:
    return best_curves([score_set(task=t) for t in TASKS], measured(score_set()))[0]


def overlap() -> Figure:
    return overlap_curves([score_set(task=t) for t in TASKS], measured(score_set()))[0]


def alike(names: Sequence[str]) -> Figure:
    rng = np.random.default_rng(0)
    records: list[Record] = [
        {"task": "a/x", "proxy": one, "other": two, "kendall": float(rng.uniform(-0.4, 1))}
        for one, two in combinations(names, 2)
    ]
    records[0]["kendall"] = None
    found = cluster(records, "proxy")
    assert found is not None
    return cluster_figure(found)


def few_alike() -> Figure:
    return alike(("nwot", "jacov", "params", "plain"))


def tasks_alike() -> Figure:
    return alike(
        [f"transnasbench101-{kind}/class_{i}" for kind in ("micro", "x" * 30) for i in "ab"]
    )


def many_alike() -> Figure:
    return alike([f"proxy_{i:02}" for i in range(28)])


def with_targets(n: int = 2000) -> ScoreSet:
    rng = np.random.default_rng(n)
    data = score_set(n)
    cost = np.exp(data.scores["gaps"] / 9 + rng.normal(size=n))
    attacks = {f"fgsm@Linf_eps-{eps}": data.target / eps + rng.normal(size=n) for eps in (1.0, 4.0)}
    robust = {f"an_attack_of_a_long_name_{i}@Linf": -data.target for i in range(3)}
    return replace(data, targets={"phone_latency_ms": cost, **attacks, **robust})


def targets(which: int = 0) -> Figure:
    data = with_targets()
    sample = draw_sample(data.target, data.scores, rng=np.random.default_rng(0), resamples=20)
    return target_heatmaps(data, score_targets(data, sample), measured(data))[which]


def other_targets() -> Figure:
    return targets(1)


def front() -> Figure:
    data = with_targets()
    sample = draw_sample(data.target, data.scores, rng=np.random.default_rng(0), resamples=20)
    return front_figures(data, score_targets(data, sample), measured(data))[0]


def sampled() -> Figure:
    rng = np.random.default_rng(0)
    found: list[Record] = []
    for task in TASKS:
        data = score_set(900)
        sample = draw_sample(data.target, data.scores, rng=rng, resamples=2)
        found += sample_networks(task, sample, rng=rng, subsets=20)
    return sampling_figures(found)[0]


def own(proxies: int = 6) -> Figure:
    rng = np.random.default_rng(0)
    mean = rng.normal(90, 3, (80, 1))
    accuracy = {"validation": mean + rng.normal(size=(80, 3))}
    scores = {f"some_proxy_{i}": mean[:, 0] + i * rng.normal(size=80) for i in range(proxies)}
    repeats = Repeats(tuple(map(str, range(80))), (0, 1, 2), accuracy)
    return noise_figures(measure_noise("a/x", repeats, scores))[0]


def own_without_proxies() -> Figure:
    return own(0)


def own_with_many() -> Figure:
    return own(25)


BASES = ("random", "local-search", "evolution", "regularised-evolution")
LONG = [f"my_long_package/searchers.py:Climber{i},patience={i},warm=nwot" for i in range(20)]


def search() -> Figure:
    names = (*BASES, *(f"{name},warm=naswot" for name in BASES), "rank,proxy=naswot")
    return search_curves([curve(name, task) for name in names for task in TASKS])[0]


def long_search() -> Figure:
    return search_curves([curve(name, task) for name in LONG for task in TASKS])[0]


def variants_search() -> Figure:
    names = [f"{name},warm={proxy}" for name in LONG for proxy in ("a", "b")]
    return search_curves([curve(name, f"{'long' * 20}/{task}") for name in names for task in "xy"])[
        0
    ]


def one_long_search() -> Figure:
    return search_curves([curve(name, f"{'long' * 20}/x") for name in LONG])[0]


def long_heatmap() -> Figure:
    names = ("my_package/proxies.py:SomeProxy,power=2", "nwot")
    return heatmaps([cell(f"{'long' * 20}/t{i}", n, -0.24, 1234) for i in range(9) for n in names])[
        0
    ]


def crowded_scores() -> Figure | None:
    """Scores whose ticks have long texts, and a proxy of a long name."""
    rng = np.random.default_rng(1)
    scores = {"jacov": -32.01 - 0.005 * rng.random(200), "big": 1.2e5 * rng.random(200)}
    scores |= {"my_package/proxies.py:SomeProxy,power=2": 1e7 + rng.random(200)}
    scores |= {"tiny": 3e-9 * rng.random(200)}
    data = score_set(scores=scores, task=f"{'long' * 20}/x")
    return scatter(data, [cell(data.task, name, 0.1) for name in scores])


def one_search() -> Figure:
    return search_curves([curve("random")])[0]


def noise() -> Figure | None:
    return noise_figure([noise_record("a"), noise_record("b", 1)])


FIGURES = [
    one_heatmap, wide_heatmap, long_heatmap, points, hexagons, one_hexagons, crowded_scores, top,
    overlap, few_alike, tasks_alike, many_alike, targets, other_targets, front, sampled, own,
    own_without_proxies, own_with_many, search, long_search, variants_search, one_long_search,
    one_search, noise,
]  # fmt: skip


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_are_fit_for_print(draw: Callable[[], Figure | None]) -> None:
    figure = draw()
    assert figure is not None
    assert figure.get_figwidth() in (COLUMN_INCHES, PAGE_INCHES)
    assert figure.get_figheight() <= 9.5
    shown = texts(figure)
    assert shown
    for text in shown:
        assert text.get_fontsize() >= SMALLEST_POINTS
        assert "$" not in text.get_text()  # typeset exponents would be smaller
    page = figure.bbox.padded(1)
    boxes = [(text, text.get_window_extent()) for text in shown]
    for text, box in boxes:
        assert page.containsx(box.x0), text
        assert page.containsx(box.x1), text
        assert page.containsy(box.y0), text
        assert page.containsy(box.y1), text
    for (one, first), (two, second) in combinations(boxes, 2):
        assert not first.padded(-2).overlaps(second.padded(-2)), (one, two)
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
        inside = set(legend.get_texts())
        assert not any(box.overlaps(other) for text, other in boxes if text not in inside)


def test_a_tail_of_a_narrow_range_stays_linear() -> None:
    rng = np.random.default_rng(0)
    tight = 100 + rng.normal(size=200) * 1e-3
    tight[0] = 101.0
    data = score_set(scores={"tight": tight, "wide": np.exp(8 * rng.normal(size=200))})
    figure = scatter(data, [cell("a/x", "tight", 0.2), cell("a/x", "wide", 0.1)])
    assert figure is not None
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "log"]


def test_heatmap_cells_say_value_interval_failures_and_what_is_missing() -> None:
    cells = [cell("x/a", "nwot", 0.632, 59), cell("x/b", "nwot", None), cell("x/b", "zen", -0.1)]
    (figure,) = heatmaps(cells)
    found = words(figure)
    assert ".63\n[.62,.64]\n59 failed" in found
    assert "undefined" in found
    assert "not\nrecorded" in found
    assert "−.10\n[−.11,−.09]" in found
    assert "x/\na\nn = 15,625" in found


def test_heatmap_orders_proxies_by_their_mean() -> None:
    cells = [cell("x/a", "low", 0.1), cell("x/a", "high", 0.6), cell("x/b", "low", 0.2)]
    (figure,) = heatmaps(cells)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["high", "low"]
    (figure,) = heatmaps(cells, order=["low", "high"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["low", "high"]


def test_tasks_that_do_not_fit_a_page_go_to_another_figure() -> None:
    cells = [cell(f"x/t{i:02}", "nwot", 0.5) for i in range(13)]
    figures = heatmaps(cells)
    assert [len(figure.axes[0].get_xticklabels()) for figure in figures] == [7, 6]
    cells[0]["proxy"] = "first"
    rows = [[str(y.get_text()) for y in f.axes[0].get_yticklabels()] for f in heatmaps(cells)]
    assert rows == [["first", "nwot"], ["nwot"]]  # none of a figure's tasks has the proxy
    assert heatmaps([]) == []


def test_scatter_counts_failures_and_takes_the_strongest() -> None:
    data = score_set(failed=7)
    figure = scatter(data, measured(data), panels=2)
    assert figure is not None
    found = words(figure)
    assert next(text for text in found if ", τ = " in text).startswith("gaps")
    assert any(text.startswith("nwot, τ = ") and "\n7 failed (×)" in text for text in found)
    assert "validation accuracy (%)" in found
    assert not any(text.startswith("constant") for text in found)


def test_every_defined_score_is_drawn_once() -> None:
    data = score_set(3000, failed=11)
    assert sorted(hexagon_counts(hexbins(data, measured(data)))) == [1500, 2989, 3000]


def hexagon_counts(figure: Figure | None) -> list[float]:
    """How many architectures a figure's hexagons hold, by panel."""
    assert figure is not None
    meshes = [mesh for axes in figure.axes[:-1] for mesh in axes.collections]
    return [float(np.sum(found)) for mesh in meshes if (found := mesh.get_array()) is not None]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_hexagons_leave_out_is_counted(sign: float) -> None:
    data = score_set(2000, failed=0)
    truth = sign * np.concatenate([[1.0, 2.0, 3.0], data.target[3:]])
    scores = {"nwot": data.scores["nwot"]}
    turned = replace(data, accuracy={"validation": truth}, scores=scores, maximise=sign > 0)
    figure = hexbins(turned, measured(turned))
    assert hexagon_counts(figure) == [1997]
    assert figure is not None
    assert "3\nbeyond" in words(figure)


def test_ranks_at_the_margins_are_shares_of_all() -> None:
    data = score_set(2000, failed=500)
    data = replace(data, scores={"nwot": data.scores["nwot"]})
    figure = hexbins(data, measured(data))
    assert figure is not None
    above, _, _, beside = figure.axes[:4]
    shares = np.asarray(above.lines[0].get_ydata())
    assert shares.size == 1500
    assert (shares[0], shares[-1]) == (501 / 2000, 1.0)
    assert np.asarray(beside.lines[0].get_xdata())[0] == 1 / 2000


def test_overlap_of_all_is_whole_and_of_one_is_the_best() -> None:
    data = score_set(failed=0)
    data = replace(data, scores={"own": data.target, "against": -data.target})
    (figure,) = overlap_curves([data], [cell("a/x", name, 0.5) for name in data.scores])
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in figure.axes[0].lines}
    assert (lines["own"] == 1).all()
    assert (lines["against"][0], lines["against"][-1]) == (0.0, 1.0)
    assert lines["random"][0] == 1 / 200


def test_the_front_is_drawn_where_a_proxy_leads() -> None:
    figure = front()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "phone_latency_ms"
    assert sum(title.startswith("fgsm") for title in titles) == 1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[:2] == ["architectures", "Pareto front"]
    data = with_targets()
    line = next(line for line in figure.axes[0].lines if line.get_drawstyle() == "steps-post")
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (np.diff(x) > 0).all()
    assert (np.diff(y) > 0).all()
    cost = data.targets["phone_latency_ms"]
    assert y[-1] == data.target[np.isfinite(cost)].max()
    assert x[0] == np.nanmin(cost)


def test_scatter_of_nothing_is_none() -> None:
    data = score_set(scores={"constant": np.ones(200)})
    assert scatter(data, measured(data)) is None


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_top_curves_end_at_the_optimum(sign: float) -> None:
    data = score_set(failed=0)
    truth = sign * data.target
    turned = score_set(failed=0, accuracy={"validation": truth}, maximise=sign > 0)
    (figure,) = best_curves([turned], measured(data))
    lines = {str(line.get_label()): line for line in figure.axes[0].lines}
    optimum = sign * data.target.max()
    for name in ("nwot", "random", "optimum"):
        assert np.asarray(lines[name].get_ydata())[-1] == pytest.approx(optimum)
    top = np.argsort(-data.scores["nwot"])
    first = np.asarray(lines["nwot"].get_ydata())[0]
    assert first == truth[top[0]]
    assert np.asarray(lines["random"].get_ydata())[0] == pytest.approx(truth.mean())


def test_top_curves_of_nothing_are_none() -> None:
    assert best_curves([], []) == []
    assert best_curves([score_set()], []) == []


def test_search_curves_tell_searchers_apart_and_count_seeds() -> None:
    names = [f"searcher-{i}" for i in range(9)]
    curves = [curve(name, seeds=5 + i) for i, name in enumerate(names)]
    (figure,) = search_curves(curves, "latency_seconds")
    (axes,) = figure.axes
    looks = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(looks) == 9
    found = words(figure)
    assert set(names) <= set(found)
    assert "a/\nx (5 to 13 seeds)" in found
    assert "validation regret, latency (s)" in found
    assert "queries" in found


def test_many_tasks_and_searchers_stay_on_the_page() -> None:
    figures = search_curves([curve(name, f"a/{i:02}") for name in LONG for i in range(14)])
    assert [len(figure.axes) for figure in figures] == [9, 5]
    assert all(figure.get_figheight() <= 9.5 for figure in figures)
    figures = search_curves([curve(name, f"a/{i:02}") for name in BASES for i in range(14)])
    assert [len(figure.axes) for figure in figures] == [12, 2]


def looks(figure: Figure, panel: int = 0) -> dict[str, tuple[str, str, str]]:
    """Colour, dash and marker by searcher."""
    lines = figure.axes[panel].lines
    return {
        str(line.get_label()): (str(line.get_color()), line.get_linestyle(), str(line.get_marker()))
        for line in lines
    }


def test_a_proxy_is_a_dash_and_a_line_of_the_title() -> None:
    texts = ["evolution,size=5", "evolution,size=5,warm=a", "random", "rank,proxy=a"]
    curves = [curve(text, "a/x") for text in texts] + [curve("random", "a/y")]
    curves.append(curve("evolution,warm=b,size=5", "a/y"))
    (figure,) = search_curves(curves)
    found = looks(figure)
    cold, warm = found["evolution,size=5"], found["evolution,size=5,warm=a"]
    assert (cold[0], cold[2]) == (warm[0], warm[2])
    assert (cold[1], warm[1], found["rank,proxy=a"][1]) == ("-", "--", "--")
    assert len(set(found.values())) == 4
    assert looks(figure, 1)["evolution,warm=b,size=5"] == warm
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["evolution,size=5", "random", "rank", "using a proxy"]
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["a/\nx (10 seeds)\nproxy: a", "a/\ny (10 seeds)\nproxy: b"]


@pytest.mark.parametrize("second", ["evolution,warm=b", "evolution,proxy=a"])
def test_several_proxies_in_a_panel_leave_every_searcher_its_own_look(second: str) -> None:
    names = ["evolution", "evolution,warm=a", second]
    (figure,) = search_curves([curve(name) for name in names])
    assert len(set(looks(figure).values())) == 3
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == sorted(names)
    assert "proxy:" not in figure.axes[0].get_title(loc="left")


def level(low: float, high: float) -> Curve:
    mean = np.linspace(high, low, 3)
    return Curve("a/x", "s", "queries", np.arange(1.0, 4.0), mean, mean, mean, 3)


@pytest.mark.parametrize(
    ("low", "high", "scale", "ticks"),
    [
        (0.0, 9.0, "symlog", ["0", "0.1", "0.2", "0.5", "1", "2", "5"]),
        (0.0, 40.0, "symlog", ["0", "0.1", "1", "10"]),
        (0.0, 0.03, "symlog", ["0", "0.001", "0.002", "0.005", "0.01", "0.02"]),
        (0.6, 4.0, "log", ["1", "2"]),
        (2.0, 3.0, "linear", ["2.0", "2.5", "3.0"]),
        (2.0, 2.0, "linear", ["1.9", "2.0", "2.1"]),
    ],
)
def test_the_regret_axis_fits_its_panel(
    low: float, high: float, scale: str, ticks: list[str]
) -> None:
    (figure,) = search_curves([level(low, high)])
    (axes,) = figure.axes
    bottom, top = axes.get_ylim()
    assert axes.get_yscale() == scale
    assert bottom <= low <= high <= top
    assert bottom == 0 if scale == "symlog" else bottom > 0.8 * low
    figure.draw_without_rendering()
    assert [label.get_text() for label in axes.get_yticklabels()] == ticks


def test_panels_of_unlike_accuracies_have_axes_of_their_own() -> None:
    truth = np.concatenate([np.linspace(90, 94, 100), np.linspace(10, 94, 100)])
    few = np.where(np.arange(200) < 100, truth, np.nan)
    for scores, shared in ({"all": truth, "few": few}, False), ({"a": truth, "b": -truth}, True):
        data = score_set(scores=scores, accuracy={"validation": truth})
        figure = scatter(data, [cell("a/x", name, 0.5) for name in scores])
        assert figure is not None
        limits = {axes.get_ylim() for axes in figure.axes}
        assert (len(limits) == 1) is shared


def test_a_regret_of_zero_has_a_place() -> None:
    zero = np.zeros(3)
    flat = Curve("a/x", "solved", "seconds", np.arange(1.0, 4.0), zero, zero, zero, 3)
    (figure,) = search_curves([flat])
    low, high = figure.axes[0].get_ylim()
    assert low == 0 < high
    assert "simulated seconds (s)" in words(figure)
    assert search_curves([]) == []


def test_noise_figure_leaves_out_what_is_undefined() -> None:
    records = [noise_record("a"), noise_record("gone") | {"difference": None}]
    figure = noise_figure(records)
    assert figure is not None
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a"]
    assert noise_figure(records[1:]) is None
    assert noise_figure([]) is None
