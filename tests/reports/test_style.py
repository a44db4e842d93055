from __future__ import annotations

import re
import subprocess
import sys

import matplotlib as mpl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from bench.reports.style import (
    COLUMN_INCHES,
    DOTS_PER_INCH,
    as_bytes,
    axis_texts,
    fitted,
    metric_label,
    new_figure,
    paper_style,
    plain_number,
    regret_label,
    series_style,
    short_number,
    text_inches,
)


def drawing() -> Figure:
    figure = new_figure(COLUMN_INCHES, 2.0)
    figure.subplots().plot([0, 1], [0, 1], label="ρ_x")
    return figure


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_two_writes_are_equal(suffix: str) -> None:
    with paper_style():
        assert as_bytes(drawing(), suffix) == as_bytes(drawing(), suffix)


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_another_process_writes_the_same_at_another_date(suffix: str) -> None:
    code = f"""
import os, sys
os.environ["SOURCE_DATE_EPOCH"] = "86400"
from bench.reports.style import *
with paper_style():
    figure = new_figure(COLUMN_INCHES, 2.0)
    figure.subplots().plot([0, 1], [0, 1], label="ρ_x")
    sys.stdout.buffer.write(as_bytes(figure, {suffix!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    with paper_style():
        assert done.stdout == as_bytes(drawing(), suffix)


def test_a_pdf_embeds_truetype_and_names_no_date_or_software() -> None:
    with paper_style():
        content = as_bytes(drawing(), "pdf")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    assert not re.search(rb"/(CreationDate|ModDate|Producer|Creator)\b", content)


def test_a_png_has_300_dots_an_inch_and_names_no_software() -> None:
    with paper_style():
        content = as_bytes(drawing(), "png")
    assert int.from_bytes(content[16:20], "big") == round(COLUMN_INCHES * DOTS_PER_INCH)
    assert b"Software" not in content


def test_settings_are_put_back_and_a_users_own_change_nothing() -> None:
    with paper_style():
        expected = as_bytes(drawing(), "png")
    with mpl.rc_context({"lines.linewidth": 9.0, "axes.facecolor": "red"}):
        with paper_style():
            assert as_bytes(drawing(), "png") == expected
        assert mpl.rcParams["lines.linewidth"] == 9.0
        assert mpl.rcParams["pdf.fonttype"] == 3


def test_importing_changes_no_setting_and_keeps_pyplot_out() -> None:
    code = """
import sys, matplotlib
def settings():  # asking for the backend would choose one, and import pyplot
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
before = settings()
import bench.reports.write
assert settings() == before
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_lines_differ_in_colour_and_dash_together() -> None:
    styles = [series_style(i) for i in range(28)]
    assert len({(s["color"], str(s["linestyle"])) for s in styles}) == 28


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.456, ".46"), (-0.456, "−.46"), (-0.001, ".00"), (1.0, "1.00"), (-1.0, "−1.00")],
)
def test_short_number(value: float, text: str) -> None:
    assert short_number(value) == text


@given(st.floats(-1, 1))
def test_short_number_is_read_back(value: float) -> None:
    assert abs(float(short_number(value).replace("−", "-")) - value) <= 0.005 + 1e-12


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-250.5, "−250.5"), (99999.0, "99,999"), (1e5, "10⁵"), (-3.5e-8, "−3.5×10⁻⁸")],
)
def test_plain_number(value: float, text: str) -> None:
    assert plain_number(value) == text


@given(st.floats(-1e30, 1e30), st.floats(1e-3, 1e9), st.integers(2, 6))
def test_axis_texts_tell_ticks_apart_and_are_read_back(
    start: float, step: float, count: int
) -> None:
    step = float(f"{step:.0e}")
    ticks = [(round(start / 1e27) + i) * step for i in range(count)]
    texts = axis_texts(ticks)
    assert len(set(texts)) == count
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")
    for tick, text in zip(ticks, texts, strict=True):
        mantissa, _, power = (
            text.rpartition("10") if set(text) & set("⁰¹²³⁴⁵⁶⁷⁸⁹") else (text, "", "")
        )
        read = mantissa.translate(digits).rstrip("×").replace(",", "")
        value = float(read + "1" if read in ("", "-") else read) * 10.0 ** int(
            power.translate(digits) or 0
        )
        assert value == pytest.approx(tick, abs=step / 100)


def test_a_text_is_cut_in_the_middle_until_it_fits() -> None:
    text = "my_package/searchers.py:Climber,patience=5"
    assert fitted(text, 10.0) == text
    cut = fitted(text, 1.0)
    assert 0.9 < text_inches(cut) <= 1.0
    head, tail = cut.split("…")
    assert text.startswith(head)
    assert text.endswith(tail)
    assert text_inches(text, 14.0) == pytest.approx(2 * text_inches(text, 7.0), rel=0.02)
    assert text_inches("") == 0


def test_regret_label() -> None:
    assert regret_label("accuracy_percent") == "validation regret, accuracy (percentage points)"
    assert regret_label("ssim") == "validation regret, ssim"
    assert regret_label(None) == "validation regret, metric of the task"


def test_metric_label() -> None:
    assert metric_label("accuracy_percent") == "accuracy (%)"
    assert metric_label("edge_latency_seconds") == "edge latency (s)"
    assert metric_label("negative_loss") == "negative loss"
