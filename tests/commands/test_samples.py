"""Samples and weights: which rows are judged, once each, and whose score they have.

Right values are computed here from the table's accuracies and the proxy's own values, by scipy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from bench import cli
from bench.base import Arch, GraphProxy
from bench.draws import keyed
from bench.proxies import PROXIES
from bench.runs import choose, provenance
from bench.runs.tasks import load_task
from bench.spaces.nasbench201 import NASBENCH201

TASK = "nasbench201/cifar10-valid"
SUITE = "nasbench201-suite/cifar10"
NOISE = ("--dataset", "noise")
TINY = ("--dataset", "noise,size=8", "--batch", "4", "--shape", "channels=4", "--shape", "cells=1")

Score = Callable[..., tuple[dict[str, Any], dict[str, list[Any]], str]]


@pytest.fixture
def score(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Score:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provenance, "commit", lambda: "c0ffee")
    load_task.cache_clear()

    def scored(*words: str) -> tuple[dict[str, Any], dict[str, list[Any]], str]:
        """The last task's row, the columns of its file, and what was said."""
        monkeypatch.setattr(sys, "argv", ["ipl-bench", "score", *words, "--json"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr().err
        assert end.value.code == 0, said
        (folder,) = Path("results/live").iterdir()
        row = json.loads((folder / "rows.jsonl").read_text().splitlines()[-1])
        assert row["kind"] == "score"
        return row, pq.read_table(folder / row["file"]).to_pydict(), said

    return scored


def parametric(arch: Arch) -> float:
    proxy = {each.name: each for each in PROXIES}["parametric"]
    assert isinstance(proxy, GraphProxy)
    return float(proxy(NASBENCH201.graph(arch)))


def accuracy(task: str = TASK) -> dict[str, float]:
    table = load_task(task).table
    return dict(zip(table.archs, table.accuracy["validation"].tolist(), strict=True))


def drawn(count: int) -> list[Arch]:
    return choose.sampled(NASBENCH201, count, keyed(0, "sample", "nasbench201"))


def tau(columns: dict[str, list[Any]], name: str) -> float:
    return float(stats.kendalltau(columns[f"score:{name}"], columns["validation"]).statistic)


CONVOLUTIONS = """
def mine(graph):
    # Of all edges, those that lead nowhere too.
    return 9.0 * graph.operations.count("nor_conv_3x3") + graph.operations.count("nor_conv_1x1")
"""


def convolutions(arch: Arch) -> float:
    names = NASBENCH201.text(arch)
    return 9.0 * names.count("nor_conv_3x3") + names.count("nor_conv_1x1")


def sampled(score: Score, *words: str) -> tuple[dict[str, Any], dict[str, list[Any]], str]:
    return score("nasbench201", *NOISE, "--proxies", "parametric", "--against", TASK, *words)


def test_a_distinct_sample_is_one_row_a_class(score: Score) -> None:
    """Expanded to all 4,155 cells of its classes, tau would come out as .639 in place of .611."""
    row, columns, said = sampled(score, "--sample", "200", "--distinct")
    known = accuracy()
    cells = choose.distinct(NASBENCH201, drawn(200))
    assert columns["arch"] == sorted(map(NASBENCH201.text, cells), key=list(known).index)
    right = stats.kendalltau(
        [parametric(arch) for arch in cells], [known[NASBENCH201.text(arch)] for arch in cells]
    ).statistic
    assert tau(columns, "parametric") == pytest.approx(right, abs=1e-12)
    assert right == pytest.approx(0.6111, abs=5e-5)
    forms = {NASBENCH201.canonical(arch): parametric(arch) for arch in cells}
    pairs = [
        (forms[form], value)
        for text, value in known.items()
        if (form := NASBENCH201.canonical(NASBENCH201.parse(text))) in forms
    ]
    assert stats.kendalltau(*zip(*pairs, strict=True)).statistic == pytest.approx(0.6388, abs=5e-5)
    assert (row["n"], row["by_class"], "group" in columns) == (len(cells), 0, False)
    assert "another of the same function" not in said


def test_the_whole_space_gives_every_cell_the_score_of_its_class_and_says_so(score: Score) -> None:
    Path("own.py").write_text(CONVOLUTIONS)
    row, columns, said = sampled(score, "--all", "--distinct", "--proxy", "own.py:mine")
    known = accuracy()
    assert columns["arch"] == list(known)
    forms = [NASBENCH201.canonical(NASBENCH201.parse(text)) for text in known]
    assert columns["score:parametric"] == [parametric(form) for form in forms]
    assert columns["score:own.py:mine"] == [convolutions(form) for form in forms]
    other = sum(NASBENCH201.text(form) != text for form, text in zip(forms, known, strict=True))
    assert (row["n"], row["by_class"]) == (15_625, other) == (15_625, 15_625 - 5_653)
    assert f"{TASK}: 9,972 of 15,625 architectures have the score of another of the same" in said
    written = [convolutions(NASBENCH201.parse(text)) for text in known]
    as_written = stats.kendalltau(written, [*known.values()]).statistic
    assert tau(columns, "own.py:mine") > as_written + 0.005


def test_both_are_offered_on_one_sample(score: Score) -> None:
    """Rows are the same; by --canonical each has the score of the form without idle operations."""
    known = accuracy()
    cells = drawn(200)
    right = {
        "written": [convolutions(arch) for arch in cells],
        "canonical": [convolutions(NASBENCH201.canonical(arch)) for arch in cells],
    }
    truth = [known[NASBENCH201.text(arch)] for arch in cells]
    Path("own.py").write_text(CONVOLUTIONS)
    words = ("--sample", "200", "--proxy", "own.py:mine", "--canonical")
    row, columns, said = sampled(score, *words)
    expected = stats.kendalltau(right["canonical"], truth).statistic
    assert tau(columns, "own.py:mine") == pytest.approx(expected, abs=1e-12)
    assert abs(expected - stats.kendalltau(right["written"], truth).statistic) > 0.005
    changed = sum(NASBENCH201.canonical(arch) != arch for arch in cells)
    assert (row["n"], row["by_class"]) == (200, changed)
    assert f"{changed} of 200 architectures have the score of another" in said
    assert len(set(columns["group"])) == len({NASBENCH201.canonical(arch) for arch in cells})


def classmates(count: int) -> list[Arch]:
    """The first cells of one class with so many members."""
    classes: dict[Arch, list[Arch]] = {}
    for arch in choose.whole(NASBENCH201):
        found = classes.setdefault(NASBENCH201.canonical(arch), [])
        found.append(arch)
        if len(found) == count:
            return found
    raise AssertionError


def listed(archs: list[Arch]) -> str:
    Path("cells.txt").write_text("".join(f"{NASBENCH201.text(arch)}\n" for arch in archs))
    return "cells.txt"


def test_a_file_with_two_of_a_class(score: Score) -> None:
    """The second of them is left out, and the class's other members do not come in its place."""
    pair, others = classmates(3), drawn(4)
    path = listed([pair[1], *others, pair[2]])
    _, columns, _ = sampled(score, "--archs", path, "--distinct")
    assert set(columns["arch"]) == {NASBENCH201.text(arch) for arch in (pair[1], *others)}


def test_without_distinct_both_of_a_class_are_judged_each_by_itself(score: Score) -> None:
    pair = classmates(3)
    row, columns, _ = sampled(score, "--archs", listed([pair[2], pair[1]]))
    values = dict(zip(columns["arch"], columns["score:parametric"], strict=True))
    assert values == {NASBENCH201.text(arch): parametric(arch) for arch in pair[1:]}
    assert row["by_class"] == 0


def test_a_table_that_knows_another_of_the_class_alone(score: Score) -> None:
    """The suite has one cell or more of a class, not the one drawn: one row, told as another's."""
    known = accuracy(SUITE)
    cells = choose.distinct(NASBENCH201, drawn(60))
    row, columns, said = score(
        "nasbench201", *NOISE, "--proxies", "parametric", "--sample", "60", "--distinct",
        "--against", SUITE,
    )  # fmt: skip
    rows_of: dict[Arch, list[str]] = {}
    for text in known:
        rows_of.setdefault(NASBENCH201.canonical(NASBENCH201.parse(text)), []).append(text)
    expected = {}
    strange = 0
    for arch in cells:
        text, mates = NASBENCH201.text(arch), rows_of.get(NASBENCH201.canonical(arch), [])
        if text in known or mates:
            expected[text if text in known else mates[0]] = parametric(arch)
            strange += text not in known
    assert dict(zip(columns["arch"], columns["score:parametric"], strict=True)) == expected
    assert row["by_class"] == strange > 0
    assert f"{SUITE}: {strange} of {len(expected)} architectures have the score" in said


def test_all_of_a_task_lends_scores_within_that_task_alone(score: Score) -> None:
    """The 1,500 cells of nasbench201/digits were drawn; other tables' cells are no part of that."""
    words = ("nasbench201/digits", "--all", "--distinct", *NOISE, "--proxies", "parametric")
    _, columns, _ = score(*words, "--against", TASK)
    digits = load_task("nasbench201/digits").table.archs
    assert len(columns["arch"]) == len(set(columns["arch"])) == len(digits)
    forms = {NASBENCH201.canonical(NASBENCH201.parse(text)) for text in columns["arch"]}
    assert len(forms) == len(digits), "one row a class"


def sums_of_logs(columns: list[np.ndarray]) -> np.ndarray:
    """What az-nas is: the sum of log(rank / n), ranks from 1 by scipy."""
    return np.sum([np.log(stats.rankdata(each) / len(each)) for each in columns], axis=0)


PARTS = ("az_expressivity", "az_progressivity", "az_trainability", "flops")


def test_az_nas_ranks_the_rows_that_are_judged(score: Score) -> None:
    """Of thirty cells scored, the suite knows some; the others do not move their ranking."""
    pytest.importorskip("torch")
    row, columns, _ = score(
        "nasbench201", *TINY, "--sample", "30", "--proxies", "az_nas", "--against", SUITE
    )
    assert 5 < row["n"] < 30
    parts = [np.array(columns[f"score:{name}"]) for name in PARTS]
    np.testing.assert_allclose(columns["score:az_nas"], sums_of_logs(parts), rtol=1e-12)
    (folder,) = Path("results/live").iterdir()
    live = pq.read_table(folder / "live.parquet").to_pandas()
    everyone = [live[f"score:{name}"].fillna(-np.inf).to_numpy() for name in PARTS]
    among_all = dict(zip(live["arch"], sums_of_logs(everyone), strict=True))
    assert not np.allclose(columns["score:az_nas"], [among_all[arch] for arch in columns["arch"]])


def test_az_nas_of_a_shared_score_counts_every_row(score: Score) -> None:
    pytest.importorskip("torch")
    path = listed([*classmates(3), *drawn(6)])
    words = ("nasbench201", *TINY, "--archs", path, "--canonical", "--proxies", "az_nas")
    row, columns, _ = score(*words, "--against", TASK)
    assert row["n"] == len(columns["group"]) == 9
    parts = [np.array(columns[f"score:{name}"]) for name in PARTS]
    np.testing.assert_allclose(columns["score:az_nas"], sums_of_logs(parts), rtol=1e-12)


def test_az_nas_by_a_part_that_always_failed_is_no_ranking(score: Score) -> None:
    """Cells that hand gradients on have no trainability: flops and the rest are not az-nas."""
    pytest.importorskip("torch")
    skip = NASBENCH201.parse("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|")
    whole = choose.whole(NASBENCH201)
    idle = [arch for arch in whole if NASBENCH201.canonical(arch) == skip][:6]
    row, columns, _ = score(
        "nasbench201", *TINY, "--archs", listed(idle), "--proxies", "az_nas", "--against", TASK
    )
    assert sum(row["errors"]["az_trainability"].values()) == 6
    assert columns["score:az_nas"] == [-np.inf] * 6
    assert row["errors"]["az_nas"] == {"undefined: az_trainability scored none of them": 6}
