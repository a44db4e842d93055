from __future__ import annotations

import numpy as np
import pytest

from bench.base import DataError
from bench.tables import transnasbench101

MICRO = {0: "64-41414-0_00_000", 1742: "64-41414-1_23_032", 4095: "64-41414-3_33_333"}
MACRO = {0: "64-4111-basic", 498: "64-11414-basic", 3255: "64-113444-basic"}
TASKS = ("class_scene", "class_object", "autoencoder", "normal")

# Lines of transbench101_*.csv: (train, validation, test, seconds) by row of the table.
VALUES = {
    "micro/class_scene": {
        0: (9.0337495803833, 14.152070045471191, 13.793789863586426, 7066),
        1742: (90.63999938964844, 53.27428436279297, 62.18650436401367, 7280),
        4095: (91.09375, 53.6723747253418, 62.63933181762695, 11744),
    },
    "micro/class_object": {
        0: (30.07499885559082, 26.547571182250977, 29.433717727661133, 7899),
        1742: (77.90625, 43.02348709106445, 50.82603454589844, 8166),
        4095: (78.27375030517578, 43.0533447265625, 50.427947998046875, 11760),
    },
    "micro/autoencoder": {
        0: (0.06789807230234146, 0.05228111147880554, 0.04852937534451485, 13794),
        1742: (0.4587761461734772, 0.46554169058799744, 0.49231186509132385, 19662),
        4095: (0.47130608558654785, 0.46956080198287964, 0.49071377515792847, 26269),
    },
    "micro/normal": {
        0: (0.2891869843006134, 0.32499197125434875, 0.32278865575790405, 13084),
        1742: (0.640058159828186, 0.5461990237236023, 0.5748184323310852, 18901),
        4095: (0.6546677350997925, 0.5562374591827393, 0.5841395258903503, 26113),
    },
    "macro/class_scene": {
        0: (85.39125061035156, 53.02547836303711, 62.0969352722168, 5425),
        498: (87.56375122070312, 54.12519836425781, 62.992637634277344, 4957),
        3255: (90.93000030517578, 51.66699981689453, 60.59415054321289, 4031),
    },
    "macro/class_object": {
        0: (70.77874755859375, 44.86465072631836, 50.671775817871094, 5438),
        498: (74.87249755859375, 46.083797454833984, 52.866241455078125, 4985),
        3255: (80.27999877929688, 42.814491271972656, 50.43292236328125, 3987),
    },
    "macro/autoencoder": {
        0: (0.614080011844635, 0.6472733020782471, 0.6615604162216187, 39051),
        498: (0.579190194606781, 0.6000467538833618, 0.6140161156654358, 22182),
        3255: (0.431245356798172, 0.4308885335922241, 0.45460206270217896, 16049),
    },
    "macro/normal": {
        0: (0.6860703229904175, 0.5480660796165466, 0.5734679698944092, 39603),
        498: (0.6761018633842468, 0.5759036540985107, 0.6043897867202759, 22247),
        3255: (0.6296663284301758, 0.5536869168281555, 0.5780725479125977, 15850),
    },
}


@pytest.mark.parametrize("name", VALUES)
def test_count_and_three_rows(name: str, table) -> None:
    got = table(f"transnasbench101-{name}")
    assert len(got.archs) == (4_096 if name.startswith("micro") else 3_256)
    for row, (train, validation, test, seconds) in VALUES[name].items():
        assert got.archs[row] == (MICRO if name.startswith("micro") else MACRO)[row]
        assert got.accuracy["train"][row] == train
        assert got.accuracy["validation"][row] == validation
        assert got.accuracy["test"][row] == test
        assert got.training_seconds[row] == seconds
    assert np.mean(got.accuracy["validation"] != got.accuracy["test"]) > 0.99


@pytest.mark.parametrize("task", TASKS)
def test_metric_and_direction(task: str, table) -> None:
    """Where larger is better, the metric falls as the loss of the same split rises."""
    got = table(f"transnasbench101-micro/{task}")
    wanted = "accuracy_percent" if task.startswith("class") else "ssim"
    assert (got.metric, got.maximise) == (wanted, True)
    assert got.accuracy["test"].max() <= (100 if wanted == "accuracy_percent" else 1)
    other = "valid_top5" if task.startswith("class") else "valid_l1_loss"
    agreement = np.corrcoef(got.accuracy["validation"], got.targets[other])[0, 1]
    assert agreement > 0.9 if other == "valid_top5" else agreement < -0.2
    assert not {"file_id", "time_elapsed"} & set(got.targets)


def test_proxies_and_their_seconds(table) -> None:
    micro = table("transnasbench101-micro/class_scene")
    row = list(micro.archs).index("64-41414-1_00_210")
    assert micro.accuracy["validation"][row] == 34.89251708984375
    assert micro.scores["snip"][row] == 39.19337844848633
    assert micro.score_seconds["snip"][row] == 2.3133080168627203
    assert np.isneginf(micro.scores["jacov"]).sum() == 20
    assert np.isneginf(micro.scores["epe_nas"]).sum() == 711
    assert np.isfinite(micro.scores["params"]).sum() == 711
    macro = table("transnasbench101-macro/autoencoder")
    row = list(macro.archs).index("64-1242-basic")
    assert macro.accuracy["validation"][row] == 0.650011420249939
    assert macro.scores["snip"][row] == 18.188783645629883
    assert np.isfinite(macro.scores["params"]).sum() == 725


def test_the_suites_own_table(table) -> None:
    got = table("transnasbench101-suite/class_scene")
    assert len(got.archs) == 2_128
    assert set(got.scores) == {
        "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params",
        "plain", "snip", "synflow", "zen",
    }  # fmt: skip
    rows = [0, 998, 2127]
    assert [got.archs[row] for row in rows] == [
        "64-41414-2_32_323",
        "64-41414-1_02_102",
        "64-41414-3_01_022",
    ]
    assert got.accuracy["validation"][rows].tolist() == [
        53.836585998535156,
        35.842952728271484,
        51.39828872680664,
    ]
    assert got.scores["synflow"][rows].tolist() == [
        108.13534466665664,
        77.1321006232264,
        84.77360425853244,
    ]


def test_the_suites_accuracies_are_mostly_the_tables(table) -> None:
    suite, full = (
        table("transnasbench101-suite/class_scene"),
        table("transnasbench101-micro/class_scene"),
    )
    where = {arch: row for row, arch in enumerate(full.archs)}
    rows = [where[arch] for arch in suite.archs]
    off = np.abs(suite.accuracy["validation"] - full.accuracy["validation"][rows])
    assert (off == 0).sum() == 1_586
    assert off.max() == pytest.approx(6.7, abs=0.05)
    both = np.isfinite(full.scores["params"][rows])
    np.testing.assert_allclose(
        suite.scores["params"][both], full.scores["params"][rows][both], rtol=1e-9
    )


@pytest.fixture
def reread(data, spaces, tmp_path):
    """Read the micro class_scene table with one file replaced by an edited one."""
    reader = transnasbench101.TABLES[0]

    def reading(path: str, old: str, new: str):
        text = (data / path).read_text()
        assert old in text
        (tmp_path / "edited").write_text(text.replace(old, new, 1))
        paths = {it: data / it for it in reader.files} | {path: tmp_path / "edited"}
        return reader.read(paths, spaces[reader.space])

    return reading


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("transbench101_class_scene.csv", "5425.0,0\n", "5425.0,7\n", "index order, got index 7"),
        ("transnas_arch_index.txt", "arch-index=3,", "arch-index=0,", "expected arch-index 3"),
        ("transnas_arch_index.txt", "64-4111-basic", "64-4111 basic", "expected arch-index 0"),
        ("transbench101_class_scene.csv", ",34.89251708984375,", ",1.5,", "got 1 that differ"),
    ],
)
def test_rows_that_do_not_fit_are_refused(file, old, new, words, reread) -> None:
    with pytest.raises(DataError, match=words):
        reread(f"transnasbench101/{file}", old, new)
