"""NAS-Bench-201's tables against values looked up in the files by line, and published optima."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from bench.base import DataError
from bench.tables import nasbench201
from bench.tables.columns import column

FIRST = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
MIDDLE = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_1x1~1|nor_conv_3x3~2|"
LAST = "|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|none~0|nor_conv_1x1~1|nor_conv_1x1~2|"
SUITE = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
"""(4, 0, 3, 1, 4, 3) in the suite's source-major order."""
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"

ROWS = {
    "cifar10-valid": [
        (FIRST, 88.91866665852865, 81.98266665690103, 81.52),
        (MIDDLE, 99.9860000012207, 89.76799998535157, 89.725),
        (LAST, 93.15599998779298, 84.1906666805013, 84.01333333333334),
    ],
    "cifar100": [
        (FIRST, 57.73, 52.70000000406901, 52.913333294677734),
        (MIDDLE, 99.787, 70.2700000427246, 69.71999996337891),
        (LAST, 62.45733333333334, 55.78666667277019, 55.21999998779297),
    ],
    "ImageNet16-120": [
        (FIRST, 28.135135135923054, 28.211111075507272, 26.633333287556965),
        (MIDDLE, 58.573170732512, 41.09999994913737, 42.033333267211916),
        (LAST, 21.973851901267917, 21.38888886345757, 21.411111044989692),
    ],
}


@pytest.mark.parametrize("dataset", ROWS)
def test_three_rows(dataset: str, table) -> None:
    got = table(f"nasbench201/{dataset}")
    assert len(got.archs) == 15_625
    for row, (arch, *values) in zip((0, 5000, 15_624), ROWS[dataset], strict=True):
        assert got.archs[row] == arch
        assert [got.accuracy[it][row] for it in ("train", "validation", "test")] == values


@pytest.mark.parametrize(
    ("dataset", "validation", "test", "picked"),
    [
        ("cifar10-valid", 91.61, 91.52, 91.09),
        ("cifar100", 73.49, 73.51, 73.51),
        ("ImageNet16-120", 46.73, 47.31, 46.20),
    ],
)
def test_published_optima(dataset, validation, test, picked, table) -> None:
    got = table(f"nasbench201/{dataset}").accuracy
    assert got["validation"].max() == pytest.approx(validation, abs=0.005)
    assert got["test"].max() == pytest.approx(test, abs=0.005)
    assert got["test"][got["validation"].argmax()] == pytest.approx(picked, abs=0.005)
    assert np.mean(got["validation"] != got["test"]) > 0.99


def test_full_training_is_another_number_and_has_test_alone(table) -> None:
    full, half = table("nasbench201/cifar10"), table("nasbench201/cifar10-valid")
    assert list(full.archs) == list(half.archs)
    assert full.accuracy["test"][[0, 5000, 15_624]].tolist() == [
        85.86333333333334,
        93.435,
        86.82333333333334,
    ]
    assert full.accuracy["test"].max() == pytest.approx(94.37, abs=0.005)
    gained = full.accuracy["test"] - half.accuracy["test"]
    assert 3 < np.median(gained) < 4.5
    assert spearmanr(full.accuracy["test"], half.accuracy["test"]).statistic > 0.98
    with pytest.raises(DataError, match="cifar10 has no validation accuracy, only test"):
        column(full, "validation")


def test_freereas_scores_are_in_index_order(table) -> None:
    half, hundred = table("nasbench201/cifar10-valid"), table("nasbench201/cifar100")
    large = table("nasbench201/ImageNet16-120")
    rows = [0, 5000, 15_624]
    assert half.scores["naswot"][rows].tolist() == [
        740.845703125,
        799.0030314127604,
        805.7218017578125,
    ]
    assert half.score_seconds["naswot"][rows].tolist() == [
        0.7581684589385986,
        0.056102752685546875,
        0.05159950256347656,
    ]
    assert hundred.scores["nregions"][rows].tolist() == [
        473.03829166469046,
        495.41917527174996,
        496.16450489317475,
    ]
    assert large.scores["logsynflow"][rows].tolist() == [
        685400.3679922735,
        4745357.993430926,
        2112257.831856528,
    ]
    both = np.isfinite(half.scores["naswot"]) & np.isfinite(half.scores["nwot"])
    assert spearmanr(half.scores["naswot"][both], half.scores["nwot"][both]).statistic > 0.99


def test_201_cells_failed_and_an_empty_column_is_left_out(table) -> None:
    for dataset in ("cifar10", "cifar100", "ImageNet16-120"):
        assert np.isneginf(table(f"nasbench201/{dataset}").scores["naswot"]).sum() == 201
    large = table("nasbench201/ImageNet16-120")
    assert "nregions" not in large.scores
    assert "nregions" not in large.score_seconds


def test_the_suites_proxies_are_joined_by_cell(table) -> None:
    for name in ("cifar10-valid", "cifar10"):
        got = table(f"nasbench201/{name}")
        row = list(got.archs).index(SUITE)
        assert got.scores["synflow"][row] == 44.48481149764257
        assert got.scores["epe_nas"][row] == 1283.2991078420093
        assert np.isfinite(got.scores["params"]).sum() == 9_445
    large = table("nasbench201/ImageNet16-120")
    assert large.scores["synflow"][list(large.archs).index(SUITE)] == 46.6285384821636
    assert "snip" not in table("nasbench201/cifar100").scores


@pytest.mark.parametrize("name", ["nasbench201-suite/cifar10", "nasbench201/cifar10-valid"])
def test_sentinels_are_failures(name: str, table) -> None:
    got = table(name)
    row = list(got.archs).index(EMPTY)
    failed = {it for it, values in got.scores.items() if values[row] == -np.inf}
    assert failed - {"naswot"} == {"epe_nas", "jacov", "nwot", "zen"}
    for proxy, values in got.scores.items():
        assert proxy == "naswot" or np.isneginf(values).sum() == (proxy in failed)


def test_hardware_costs_are_joined_by_cell_and_carry_units(table) -> None:
    got = table("nasbench201/cifar10")
    row = list(got.archs).index(SUITE)
    assert got.targets["edgegpu_latency_ms"][row] == 5.0345563888549805
    assert got.targets["fpga_energy_mj"][row] == 20.87792
    assert got.targets["eyeriss_arithmetic_intensity"][row] == 4.181177211239183
    assert np.isnan(got.targets["edgetpu_latency_ms"]).sum() == 4_699
    # The Edge TPU refuses most cells whose third node is cut off: a join in the other order of
    # edges would show a refusal rate near 0.13 here.
    unmeasured = np.isnan(got.targets["edgetpu_latency_ms"])

    def refused(text: str) -> float:
        rows = [i for i, it in enumerate(got.archs) if text in it and it.count("none") == 2]
        return float(unmeasured[rows].mean())

    assert refused("+|none~0|none~1|+") > 0.7
    energy = got.targets["eyeriss_energy_mj"]
    convolutions = np.array([it.count("nor_conv_3x3") for it in got.archs])
    pools = np.array([it.count("avg_pool_3x3") for it in got.archs])
    ones = np.array([it.count("nor_conv_1x1") for it in got.archs])
    design = np.stack([convolutions, pools, ones, np.ones(len(energy))], axis=1)
    residual = energy - design @ np.linalg.lstsq(design, energy, rcond=None)[0]
    assert residual.var() < 1e-3 * energy.var()


def test_robustness_is_joined_by_cell_under_the_sources_names(table) -> None:
    got = table("nasbench201/cifar10-valid")
    row = list(got.archs).index(SUITE)
    assert got.targets["fgsm@Linf_eps-1.0"][row] == 46.7
    assert got.targets["aa_apgd-ce@Linf_eps-0.1"][row] == 84.6
    assert "fgsm@Linf_eps-1.0" not in table("nasbench201/cifar10").targets
    assert "val_accs" not in got.targets


def test_the_suites_accuracy_is_one_run_and_a_task_of_its_own(table, data) -> None:
    one, mean = table("nasbench201-suite/cifar10"), table("nasbench201/cifar10-valid")
    assert len(one.archs) == 9_445
    rows = [0, 4998, 9444]
    assert one.accuracy["validation"][rows].tolist() == [84.99, 85.96, 82.31]
    assert one.archs[0] == SUITE
    assert one.scores["zen"][rows].tolist() == [
        63.38789367675781,
        68.28423309326172,
        117.98497009277344,
    ]
    where = {arch: row for row, arch in enumerate(mean.archs)}
    off = np.abs(
        one.accuracy["validation"] - mean.accuracy["validation"][[where[it] for it in one.archs]]
    )
    assert off.max() == pytest.approx(8.9, abs=0.05)
    assert np.median(off) == pytest.approx(0.34, abs=0.01)
    with (data / "nasbench201" / "robustness_targets.csv").open(newline="") as stream:
        clean = {it["net"]: float(it["val_accs"]) for it in csv.DictReader(stream)}
    assert one.accuracy["validation"][0] == clean["(4, 0, 3, 1, 4, 3)"]


def test_imagenets_suite_rows(table) -> None:
    got = table("nasbench201-suite/ImageNet16-120")
    assert len(got.archs) == 9_445
    assert got.archs[0] == SUITE
    assert got.accuracy["validation"][0] == 32.699999857584636
    assert got.scores["jacov"][[0, 4998, 9444]].tolist() == [
        -78.99136879395692,
        -69.16937632591814,
        -246.93658936552447,
    ]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "nasbench201-suite/cifar10",
            (
                "params .747 flops .714 l2_norm .720 grad_norm .550 snip .552 grasp .491"
                " fisher .501"
                " plain -.367 synflow .732 jacov .818 nwot .792 epe_nas .787 zen .101"
            ),
        ),
        (
            "nasbench201-suite/ImageNet16-120",
            (
                "params .718 flops .690 l2_norm .737 grad_norm .543 snip .542 grasp .521"
                " fisher .485"
                " plain -.340 synflow .725 jacov .781 nwot .795 epe_nas .319 zen .112"
            ),
        ),
        (
            "transnasbench101-suite/class_scene",
            (
                "params .638 flops .651 l2_norm .411 grad_norm .383 snip .457 grasp -.033"
                " fisher .368"
                " plain -.046 synflow .506 jacov .601 nwot .449 epe_nas .320 zen .603"
            ),
        ),
    ],
)
def test_published_correlations_with_failures_last(name: str, wanted: str, table) -> None:
    got, words = table(name), wanted.split()
    assert set(words[::2]) == set(got.scores)
    for proxy, rho in zip(words[::2], words[1::2], strict=True):
        found = spearmanr(got.scores[proxy], got.accuracy["validation"]).statistic
        assert found == pytest.approx(float(rho), abs=0.001), proxy


def test_rows_out_of_index_order_are_refused(tmp_path, data, spaces) -> None:
    reader = next(it for it in nasbench201.TABLES if it.name == "nasbench201/cifar100")
    paths = {path: data / path for path in reader.files}
    broken = "nasbench201/freerea_cifar100_naswot.csv"
    lines = (data / broken).read_text().splitlines()
    lines[1], lines[2] = lines[2], lines[1]
    (tmp_path / "naswot.csv").write_text("\n".join(lines))
    with pytest.raises(DataError, match="expected rows in index order, got index 1 in row 1"):
        reader.read(paths | {broken: tmp_path / "naswot.csv"}, spaces["nasbench201"])
    (tmp_path / "naswot.csv").write_text(lines[0])
    with pytest.raises(DataError, match="expected 15625 rows, got 0"):
        reader.read(paths | {broken: tmp_path / "naswot.csv"}, spaces["nasbench201"])
