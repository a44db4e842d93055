"""`ipl-bench profile`: rows that the report draws."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.base import DataError, OptionError
from bench.commands.profiling import profile_space
from bench.commands.scoring import What
from bench.reports.load import load_studies

pytest.importorskip("torch")

WHAT = What(
    dataset="noise,size=8",
    batch=4,
    seed=0,
    seeds=1,
    proxies="snip",
    shape=("channels=2", "cells=1"),
    sample=2,
)


def test_rows_are_kept_and_read_back(tmp_path: Path) -> None:
    folder, rows = profile_space("nasbench201", WHAT, tmp_path)
    (study,) = load_studies(tmp_path)
    assert (folder / "provenance.json").is_file()
    assert len(study.profiles) == len(rows)
    assert [row["what"] for row in study.profiles] == [row["what"] for row in rows]
    with pytest.raises(DataError, match="holds the profile"):
        profile_space("nasbench201", WHAT, tmp_path)


def test_proxies_that_run_nothing_cannot_be_profiled(tmp_path: Path) -> None:
    what = What(**{**vars(WHAT), "proxies": "random,parametric"})
    with pytest.raises(OptionError, match="a proxy that runs the network"):
        profile_space("nasbench201", what, tmp_path)
