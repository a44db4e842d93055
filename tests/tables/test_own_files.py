"""Tables as strangers have them: what each tool leaves behind is read by a stated rule, or refused.

Each file is written by the tool itself where it is pandas, and as a spreadsheet does otherwise.
What is wanted is what the same frame gives without the tool's habits.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.base import DataError, OptionError, Table
from bench.proxies import PROXIES
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.opaque import OPAQUE
from bench.spaces.transnasbench101_micro import TRANSNASBENCH101_MICRO
from bench.tables import bookkeeping
from bench.tables._cells import Cells, Marks
from bench.tables.user import read_table

N = 40
_rng = np.random.default_rng(7)
CELLS = [
    NASBENCH201.text(NASBENCH201.parse(f"nasbench201:{tuple(map(int, c))}"))
    for c in _rng.permutation([[*np.base_repr(i, 5).zfill(6)] for i in range(15_625)])[:N]
]
VALIDATION = np.round(60 + 30 * _rng.random(N), 2)
MINE = np.round(VALIDATION + _rng.normal(0, 15, N), 3)


def frame(**more: Any) -> Any:
    return pd.DataFrame({"arch": CELLS, "validation": VALIDATION, "mine": MINE} | more)


class Reader:
    """Reads a frame that was saved, and keeps what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []

    def __call__(self, save: Callable[[Path], object], name: str = "own.csv", **how: Any) -> Table:
        path = self.folder / name
        save(path)
        how = {"dataset": "cifar10", "space": NASBENCH201} | how
        return read_table(path, how.pop("space"), tell=self.told.append, **how)


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def same(table: Table) -> None:
    """Hold a table to the plain frame."""
    assert list(table.archs) == CELLS
    assert list(table.scores) == ["mine"]
    np.testing.assert_allclose(table.accuracy["validation"], VALIDATION, rtol=1e-12)
    np.testing.assert_allclose(table.scores["mine"], MINE, rtol=1e-12)


SAVED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "CSV": ("own.csv", lambda path: frame().to_csv(path, index=False), ""),
    "CSV with its index": ("own.csv", lambda path: frame().to_csv(path), "'Unnamed: 0'"),
    "CSV saved twice": (
        "own.csv",
        lambda path: frame(**{"Unnamed: 0": range(N)}).to_csv(path),
        "'Unnamed: 0.1'",
    ),
    "CSV with a named index": (
        "own.csv",
        lambda path: frame().rename_axis("sample_id").to_csv(path),
        "'sample_id'",
    ),
    "Parquet": ("own.parquet", lambda path: frame().to_parquet(path, index=False), ""),
    "Parquet with its index": (
        "own.parquet",
        lambda path: frame().set_axis(np.arange(N)[::-1] * 3).to_parquet(path),
        "'__index_level_0__' (the index of a data frame)",
    ),
    "Parquet with a named index": (
        "own.parquet",
        lambda path: frame().set_axis(pd.Index(np.arange(N) / 7, name="place")).to_parquet(path),
        "'place' (the index of a data frame)",
    ),
    "Parquet indexed by architecture": (
        "own.parquet",
        lambda path: frame().set_index("arch").to_parquet(path),
        "",
    ),
    "Parquet of texts": ("own.parquet", lambda path: frame().astype(str).to_parquet(path), ""),
    "semicolons and decimal commas": (
        "own.csv",
        lambda path: frame().to_csv(path, index=False, sep=";", decimal=",", encoding="utf-8-sig"),
        "decimal commas",
    ),
    "a spreadsheet's line about its mark": (
        "own.csv",
        lambda path: path.write_text("sep=;\n" + frame().to_csv(index=False, sep=";")),
        "",
    ),
    "tabs in UTF-16": (
        "own.csv",
        lambda path: frame().to_csv(path, index=False, sep="\t", encoding="utf-16"),
        "",
    ),
    "marks between thousands, and percent": (
        "own.csv",
        lambda path: frame(
            validation=[f"{value}%" for value in VALIDATION],
            mine=[f"{value:,.3f}" for value in MINE],
        ).to_csv(path, index=False),
        "",
    ),
    "columns without a name or content": (
        "own.csv",
        lambda path: path.write_text(
            "\n".join(f"{line},," for line in frame().to_csv(index=False).splitlines())
        ),
        "'Unnamed: 3'",
    ),
}


@pytest.mark.parametrize("kind", SAVED)
def test_one_frame_is_one_table_however_it_was_saved(kind: str, read: Reader) -> None:
    name, save, says = SAVED[kind]
    same(read(save, name))
    assert says in " ".join(read.told)
    assert bool(read.told) == bool(says)


EMPTIES: dict[str, tuple[str, Callable[[Any, Path], object]]] = {
    "default CSV": ("own.csv", lambda it, path: it.to_csv(path, index=False)),
    "CSV with nan": ("own.csv", lambda it, path: it.to_csv(path, index=False, na_rep="nan")),
    "CSV with NA": ("own.csv", lambda it, path: it.to_csv(path, index=False, na_rep="NA")),
    "Parquet of null": ("own.parquet", lambda it, path: it.to_parquet(path, index=False)),
}


@pytest.mark.parametrize("kind", EMPTIES)
@pytest.mark.parametrize("empty", ["failed", "unrecorded"])
def test_empty_cells_mean_one_thing_however_they_were_saved(
    kind: str, empty: str, read: Reader
) -> None:
    name, save = EMPTIES[kind]
    mine = MINE.copy()
    mine[:5] = np.nan
    mine[5:8] = np.inf, -np.inf, -1e8
    table = read(lambda path: save(frame(mine=mine), path), name, empty=empty)
    wanted = MINE.copy()
    wanted[:5] = -np.inf if empty == "failed" else np.nan
    wanted[5:8] = -np.inf
    np.testing.assert_allclose(table.scores["mine"], wanted)
    (told,) = read.told
    nothing = "5 nan" if "with" in kind else "5 empty"
    assert all(each in told for each in ("1 -1e8", "1 -inf", "1 inf", nothing))
    assert ("--empty unrecorded" in told) == (empty == "failed")
    assert [why for row, why in table.failures["mine"].items() if row >= 5] == [
        *("inf", "-inf", "-1e8"),
    ]


LEFT_OUT: dict[str, tuple[Any, str]] = {
    "file_id": (_rng.permutation(5000)[:N], "identifier"),
    "index": (range(100, 100 + N), "identifier"),
    "rank": ((-VALIDATION).argsort().argsort() + 1, "rank"),
    "standing": (VALIDATION.argsort(kind="stable").argsort(), "ranks of validation"),
    "counter": (range(1, N + 1), "count the rows"),
    "time_elapsed": (_rng.random(N), "time"),
    "trainSeconds": (_rng.random(N), "time"),
    "seed": ([3] * N, "setting"),
    "n_epochs": ([200] * N, "setting"),
    "train_top1": (VALIDATION + 3, "accuracy"),
    "val_acc": (VALIDATION + 1, "accuracy"),
    "TestAccuracy": (VALIDATION - 1, "accuracy"),
    "final_loss": (1 / VALIDATION, "accuracy or loss"),
    "quality": (VALIDATION / 100, "validation once more"),
    "wrong": (100 - VALIDATION, "validation once more"),
    "git": ([f"{value:07x}" for value in _rng.integers(2**24, 2**28, N)], "text"),
    "note": (["fine"] * N, "text"),
    "converged": (VALIDATION > 75, "true or false"),
    "finished": (pd.date_range("2024-01-01", periods=N), "text"),
    "nothing": ([None] * N, "empty"),
}


@pytest.mark.parametrize("column", LEFT_OUT)
@pytest.mark.parametrize("name", ["own.csv", "own.parquet"])
def test_what_is_no_proxy_is_left_out_and_told(column: str, name: str, read: Reader) -> None:
    cells, why = LEFT_OUT[column]

    def save(path: Path) -> None:
        own = frame(**{column: cells})
        own.to_csv(path, index=False) if name.endswith("csv") else own.to_parquet(path, index=False)

    same(read(save, name))
    (told,) = read.told
    assert told.startswith(f"{name}: no proxy: '{column}' (")
    assert why in told.partition("(")[2]
    assert f"--column proxies.mine='{column}'" in told


def test_a_column_that_is_named_is_a_proxy_whatever_it_looks_like(read: Reader) -> None:
    ids = _rng.permutation(5000)[:N]

    def save(path: Path) -> None:
        frame(file_id=ids, flag=VALIDATION > 75).to_csv(path, index=False)

    table = read(save, asked=["file_id"], columns={"proxies.good": "flag"})
    assert set(table.scores) == {"mine", "file_id", "good"}
    np.testing.assert_array_equal(table.scores["file_id"], ids)
    np.testing.assert_array_equal(table.scores["good"], VALIDATION > 75)
    assert not read.told


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("condition_index", _rng.random(N)),
        ("stable_rank", _rng.random(N)),
        ("n_params", _rng.integers(10, 99, N)),
        ("training_free_score", _rng.random(N)),
        ("latest", _rng.random(N)),
    ],
)
def test_a_proxy_with_a_name_like_these_stays_one(column: str, cells: Any, read: Reader) -> None:
    table = read(lambda path: frame(**{column: cells}).to_csv(path, index=False))
    np.testing.assert_allclose(table.scores[column], np.asarray(cells, float))
    assert not read.told


@pytest.mark.parametrize("proxy", [proxy.name for proxy in PROXIES])
def test_no_built_in_proxy_has_the_name_of_bookkeeping(proxy: str) -> None:
    cells = Cells(proxy, np.array([3.0, 1.0, 2.0]), {})
    assert bookkeeping.why_left_out(cells, {"validation": np.array([1.0, 2.0, 3.0])}) is None


def test_what_orders_as_accuracy_does_is_told_and_kept(read: Reader) -> None:
    table = read(lambda path: frame(mine=VALIDATION**3).to_csv(path, index=False))
    assert list(table.scores) == ["mine"]
    assert "mine orders architectures just as validation does" in " ".join(read.told)


def test_a_column_has_the_direction_that_the_user_states(read: Reader) -> None:
    save = lambda path: frame(ntk=MINE[::-1]).to_csv(path, index=False)  # noqa: E731
    assert read(save).directions == {"mine": True, "ntk": True}
    assert read(save, lower_is_better=["ntk"]).directions == {"mine": True, "ntk": False}
    with pytest.raises(DataError, match="--lower-is-better to name a proxy, got his"):
        read(save, lower_is_better=["his"])


@pytest.mark.parametrize("encoding", ["naslib", "nasbench201"])
def test_numbers_are_read_as_whose_they_are_said_to_be(encoding: str, read: Reader) -> None:
    cells = [tuple(_rng.integers(5, size=6).tolist()) for _ in range(3 * N)]
    cells = list(dict.fromkeys(cells))[:N]

    def save(path: Path) -> None:
        frame(arch=[str(cell) for cell in cells]).to_csv(path, index=False)

    operations = {
        "naslib": ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"],
        "nasbench201": ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"],
    }[encoding]
    order = [0, 1, 3, 2, 4, 5] if encoding == "naslib" else range(6)
    text = "|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|"
    wanted = [text.format(*(operations[cell[place]] for place in order)) for cell in cells]
    assert list(read(save, encoding=encoding).archs) == wanted
    with pytest.raises(DataError, match=r"does not say whose numbers.*naslib.*nasbench201"):
        read(save)
    with pytest.raises(OptionError, match="encoding of nasbench201"):
        read(save, encoding="nasbench101")


def test_a_suites_file_holds_naslibs_numbers_of_the_kind_of_its_dataset(read: Reader) -> None:
    content = {"(1, 0, 0, 2, 1, 0)": {"val_accuracy": 50.0, "snip": 1.0}}
    texts = [
        read(
            lambda path, of=dataset: path.write_text(json.dumps({of: content})),
            "zc.json",
            dataset=dataset,
            space=TRANSNASBENCH101_MICRO,
        ).archs[0]
        for dataset in ("jigsaw", "svhn")
    ]
    # svhn: (0-1) none, (0-2) skip, (0-3) skip, (1-2) conv3x3, (1-3) none, (2-3) skip.
    assert texts == ["64-41414-1_00_210", "64-41414-0_13_101"]


def suite(**accuracies: object) -> Callable[[Path], object]:
    entries = {
        str(cell): {"val_accuracy": accuracy, "snip": {"score": score, "time": 0.5}}
        for cell, accuracy, score in zip(
            ["(4, 0, 3, 1, 4, 3)", "(1, 1, 1, 1, 1, 1)", "(0, 0, 0, 0, 0, 0)"],
            accuracies.get("validation", [80.0, 10.0, 90.0]),  # type: ignore[call-overload]
            [1.5, -1e8, float("nan")],
            strict=True,
        )
    }
    return lambda path: path.write_text(json.dumps({"cifar10": entries}))


def test_a_suites_file_with_failures(read: Reader) -> None:
    table = read(suite(), "zc.json")
    np.testing.assert_array_equal(table.scores["snip"], [1.5, -np.inf, -np.inf])
    np.testing.assert_array_equal(table.score_seconds["snip"], [0.5, 0.5, 0.5])
    assert "2 of 3 scores of snip failed: 1 -1e8, 1 nan" in read.told[0]
    table = read(suite(validation=[80.0, None, 90.0]), "zc.json")
    assert len(table.archs) == 2
    assert "1 of 3 rows have no accuracy" in " ".join(read.told)


@pytest.mark.parametrize("wrong", [float("inf"), float("-inf"), -1e8, 101.0, -1.0])
def test_an_impossible_accuracy_is_refused_by_file_and_row(wrong: float, read: Reader) -> None:
    with pytest.raises(DataError, match=r"zc\.json: .*'val_accuracy'.*row 2, \(1, 1, 1, 1, 1, 1\)"):
        read(suite(validation=[80.0, wrong, 90.0]), "zc.json")
    validation = VALIDATION.copy()
    validation[3] = wrong
    with pytest.raises(DataError, match=r"own\.csv: .*'validation'.*row 4"):
        read(lambda path: frame(validation=validation).to_csv(path, index=False))


def test_another_measure_may_lie_anywhere(read: Reader) -> None:
    table = read(lambda path: frame(validation=-VALIDATION).to_csv(path, index=False), metric="x")
    assert table.metric == "x"
    assert table.accuracy["validation"].max() < 0
    share = read(lambda path: frame(validation=VALIDATION / 100).to_csv(path, index=False))
    assert share.metric == "accuracy_fraction"


def test_rows_without_an_accuracy_are_left_out_and_counted(read: Reader) -> None:
    validation, test = VALIDATION.copy(), VALIDATION.copy()
    validation[[2, 9, 11]] = np.nan
    test[[2, 9]] = np.nan
    mine = MINE.copy()
    mine[[9, 20]] = np.nan
    table = read(
        lambda path: frame(validation=validation, test=test, mine=mine).to_csv(path, index=False)
    )
    kept = [row for row in range(N) if row not in (2, 9)]
    assert list(table.archs) == [CELLS[row] for row in kept]
    np.testing.assert_array_equal(table.accuracy["validation"], validation[kept])
    assert table.failures == {"mine": {kept.index(20): "empty"}}
    told = " ".join(read.told)
    assert "2 of 40 rows have no accuracy and are left out" in told
    assert "validation is empty in 1 rows" in told


def test_test_accuracy_in_the_place_of_validation_is_told(read: Reader) -> None:
    table = read(
        lambda path: frame().rename(columns={"validation": "test"}).to_csv(path, index=False),
        columns={"validation": "test"},
    )
    assert table.searched_on == "test"
    assert "chosen by test accuracy" in read.told[0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("arch,validation,mine\na,1,2\na,2,3\n", "once, got a in rows 1 and 2.*their mean"),
        ("arch,validation,mine\na,1,2\nb,2,OOM\nc,3,1\n", "'mine', got 'OOM' in row 2"),
        ("arch,validation,mine,mine\na,1,2,3\n", "different names, got 'mine' twice"),
        ("arch;validation;mine\na;1,5;2\nb;2;2.55\n", "one decimal mark, got '2.55' in row 2"),
        ("arch,validation,mine\na,1,50%\nb,2,50\n", "all or none .* percent sign, got 1 of 2"),
        ("arch,validation,mine\n,1,2\n", "row 1 holds no opaque architecture"),
    ],
)
def test_what_could_mean_two_things_is_refused(text: str, says: str, read: Reader) -> None:
    with pytest.raises(DataError, match=says):
        read(lambda path: path.write_text(text), space=OPAQUE)


def test_a_space_that_nobody_described_is_a_table_of_texts(read: Reader) -> None:
    names = [f"op{i // 729}-{i // 27 % 27}-{i % 27}" for i in range(6_561)]
    own = pd.DataFrame({"arch": names, "validation": _rng.random(6_561) * 90, "mine": 1.5})
    table = read(own.to_csv, space=OPAQUE)
    assert list(table.archs) == names
    assert table.scores["mine"].tolist() == [1.5] * 6_561


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("1.5", 1.5, 1.5),
        ("1,234.5", 1234.5, None),
        ("1.234,5", None, 1234.5),
        ("1,234", 1234, 1.234),
        ("1.234", 1.234, 1234),
        ("1,234,567", 1234567, None),
        ("0,5", None, 0.5),
        ("1 234,5", None, 1234.5),
        ("1'234.5", 1234.5, 1234.5),
        ("-1,5e-3", None, -0.0015),
        ("1_000", None, None),
        ("0x1F", None, None),
        ("12%", 12, 12),
        ("%", None, None),
        ("inf", np.inf, np.inf),
        ("tensor(1.5)", None, None),
    ],
)
def test_a_number_has_one_value_by_each_mark(
    text: str, point: float | None, comma: float | None
) -> None:
    assert Marks(".").number(text) == point
    assert Marks(",").number(text) == comma


@pytest.mark.parametrize(
    ("name", "minimise", "told"),
    [
        ("val_error", False, True),
        ("val_loss", False, True),
        ("PPL", False, True),
        ("val_error", True, False),
        ("val_acc", False, False),
        ("final", False, False),
    ],
)
def test_an_accuracy_that_is_named_as_a_cost_is_told(
    tmp_path: Path, name: str, minimise: bool, told: bool
) -> None:
    file = tmp_path / "mine.csv"
    pd.DataFrame({"arch": CELLS, name: np.arange(N), "synflow": np.arange(N)}).to_csv(
        file, index=False
    )
    said: list[str] = []
    read_table(
        file, NASBENCH201, dataset="mine", columns={"validation": name}, maximise=not minimise,
        metric="mine", tell=said.append,
    )  # fmt: skip
    assert any("larger values are better; --minimise" in sentence for sentence in said) == told
