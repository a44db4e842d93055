"""The documentation: a page for every proxy, links that lead somewhere, commands that run."""

from __future__ import annotations

import csv
import os
import re
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from bench import base
from bench.api import correlate as correlating
from bench.base import DataError
from bench.cli import cli
from bench.commands import documenting
from bench.commands.demo import TASK
from bench.commands.testing import AssertTau
from bench.proxies import PROXIES
from bench.proxies.computed import Computed
from bench.proxies.recorded import Recorded
from bench.reports import correlations
from bench.reports.baseline import Baseline, Provenance, exact, write
from bench.runs import members

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", re.DOTALL)
BLOCKS = re.compile(r"<!-- (run|file: \S+) -->\n```\w+\n(.*?)```", re.DOTALL)
COUNTED = {"n": 1000, "n_failed": 2}
PATH = re.compile(r"<!-- path -->\n```console\n(.*?)```", re.DOTALL)

packaged = pytest.mark.skipif(
    TASK not in members.names("tables"), reason=f"the task {TASK} does not come with the package"
)


def rendered(text: str) -> str:
    """What a reader sees of Markdown, without mark-up."""
    html = MarkdownIt().enable("table").render(text)
    parts: list[str] = []
    parser = HTMLParser()
    vars(parser)["handle_data"] = parts.append
    parser.feed(html)
    return "".join(parts)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated pages by name, as a reader sees them."""
    folder = tmp_path_factory.mktemp("proxies")
    documenting.write_pages(folder)
    return {path.stem: rendered(path.read_text("utf-8")) for path in folder.glob("*.md")}


def test_every_proxy_has_a_page_and_no_other_is_there(pages: dict[str, str]) -> None:
    assert set(pages) == {"index", *(proxy.name for proxy in PROXIES)}
    assert all(proxy.name in pages["index"] for proxy in PROXIES)


@pytest.mark.parametrize("proxy", PROXIES, ids=lambda proxy: proxy.name)
def test_a_page_says_all_that_the_proxy_says_of_itself(proxy: Any, pages: dict[str, str]) -> None:
    text = pages[proxy.name]
    assert text.startswith(f"{proxy.name}\n")
    for fact in (proxy.paper, proxy.definition, getattr(proxy, "follows", "")):
        assert fact in text
    assert ("larger is better" in text) == proxy.higher_is_better
    assert ("smaller is better" in text) != proxy.higher_is_better
    needs = [words for name, words in documenting.NEEDS.items() if name in proxy.needs]
    assert f"Needs\n{', '.join(needs)}\n" in text
    assert len(needs) == len(proxy.needs) > 0
    for deviation in getattr(proxy, "deviations", ()):
        assert deviation in text
    for name in getattr(proxy, "passes", ()):
        assert name in text


def test_mark_up_in_a_definition_is_shown_as_it_stands(pages: dict[str, str]) -> None:
    assert "log of the sum of |w dR/dw|, norms left out" in pages["synflow"]
    hostile = "a_b *c* <d> [e](f) `g` |h| #i ~j $k \\l"
    proxy = Recorded("x_y", frozenset({"data"}), hostile, hostile)
    text = rendered(documenting.page(proxy, []))
    assert text.startswith("x_y\n")
    assert text.count(hostile) == 2
    assert f"data{hostile}" not in text


def test_deviations_are_numbered_in_order() -> None:
    proxy = next(it for it in PROXIES if isinstance(it, Computed) and len(it.deviations) > 1)
    text = documenting.page(proxy, [])
    numbers = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert numbers == [str(i) for i in range(1, len(proxy.deviations) + 1)]


def test_arxiv_is_linked_with_its_version() -> None:
    (jacov,) = [it for it in PROXIES if it.name == "jacov"]
    assert "[arXiv:2006.04647v1](https://arxiv.org/abs/2006.04647v1)" in documenting.page(jacov, [])


@pytest.mark.parametrize(
    ("facts", "wanted"),
    [
        (("x", frozenset({"data"}), " ", "what"), "expected the proxy x to state its paper"),
        (("x", frozenset({"data"}), "who", ""), "expected the proxy x to state its definition"),
        (("x", frozenset(), "who", "what"), "proxy x to need any of graph, .*, got nothing"),
        (("x", frozenset({"data", "luck"}), "who", "what"), "proxy x to need any of .*, got luck"),
    ],
)
def test_a_proxy_that_lacks_a_fact_gets_no_page(facts: Any, wanted: str) -> None:
    with pytest.raises(DataError, match=wanted):
        documenting.page(Recorded(*facts), [])


def test_pages_are_the_same_twice_and_what_is_gone_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documenting.write_pages(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "mine.md").write_text("a page by hand")
    documenting.write_pages(tmp_path)
    again = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert again == first | {"mine.md": b"a page by hand"}
    monkeypatch.setattr(documenting, "PROXIES", PROXIES[:2])
    documenting.write_pages(tmp_path)
    left = {path.stem for path in tmp_path.glob("*.md")}
    assert left == {"index", "mine", *(proxy.name for proxy in PROXIES[:2])}


def report(folder: Path, **changes: str) -> Path:
    """A folder of reports with one row of correlations, that of synflow."""
    row = {"task": "a/b", "proxy": "synflow", "n": "1234", "n_failed": "5"}
    row |= {"kendall": "0.51", "kendall_low": "0.5", "kendall_high": "0.52"}
    row |= {"spearman": "", "spearman_low": "", "spearman_high": ""} | changes
    path = folder / "smoke" / "c0ffee" / "correlations.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    return folder


def test_measured_correlations_stand_beside_what_made_them(tmp_path: Path) -> None:
    documenting.write_pages(tmp_path / "pages", reports=report(tmp_path / "reports"))
    text = (tmp_path / "pages" / "synflow.md").read_text("utf-8")
    made = "`ipl-bench report` of smoke at `c0ffee`"
    assert f"| `a/b` | 1,234 | 5 | 0.510 (0.500 to 0.520) | undefined | {made} |\n" in text
    assert "`a/b`" not in (tmp_path / "pages" / "snip.md").read_text("utf-8")


def test_correlations_of_a_baseline_are_shown(tmp_path: Path) -> None:
    values = [exact("correlation", "a/b", "snip", name, value) for name, value in COUNTED.items()]
    tau = exact("correlation", "a/b", "snip", "kendall", 0.25)
    values += [replace(tau, bootstrap=(0.2, 0.3))]
    values += [exact("correlation", "a/b", "snip", "spearman", None)]
    values += [exact("search", "a/b", "snip", "regret", 0.5)]
    write(tmp_path / "baseline", Baseline(tuple(values), Provenance(commit="c0ffee")))
    documenting.write_pages(tmp_path / "pages", baseline=tmp_path / "baseline")
    text = (tmp_path / "pages" / "snip.md").read_text("utf-8")
    made = "`ipl-bench baseline` at `c0ffee`"
    assert f"| `a/b` | 1,000 | 2 | 0.250 (0.200 to 0.300) | undefined | {made} |\n" in text


def test_no_baseline_where_one_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a baseline, got no file"):
        documenting.write_pages(tmp_path / "pages", baseline=tmp_path)


def test_a_foreign_csv_is_refused_by_its_name(tmp_path: Path) -> None:
    report(tmp_path, n="many")
    with pytest.raises(DataError, match=r"expected correlations .*, got .*correlations\.csv"):
        documenting.reported(tmp_path)


@packaged
def test_the_packaged_task_is_measured_on_every_page_it_records(pages: dict[str, str]) -> None:
    rows = {row["proxy"] for row in documenting.packaged()}
    assert {"parametric", "random"} < rows
    assert all(TASK in pages[name] for name in rows & set(pages))


def test_the_metrics_page_tells_of_every_column() -> None:
    text = (DOCS / "metrics.md").read_text("utf-8")
    columns = {measure.name for measure in correlations._MEASURES} | {"n_failed", "regret"}
    columns |= set(correlating.SHOWN) - {"task", "proxy", "truth", "kendall_low", "kendall_high"}
    assert {name for name in columns if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_that_are_named_exist(page: Path) -> None:
    named = re.findall(
        r"(?:^|`|bin/)ipl-bench ([a-z][\w-]*)", page.read_text("utf-8"), re.MULTILINE
    )
    assert set(named) <= set(cli.commands)


class Links(HTMLParser):
    """What a page links to, and the anchors it has."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.anchors |= {value for name, value in attrs if name == "id" and value}
        if tag == "a" and found.get("href"):
            self.targets.append(str(found["href"]))
        if tag in {"img", "script"} and found.get("src"):
            self.targets.append(str(found["src"]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Links]:
    """The built site's pages by name, with every warning an error."""
    if not all(map(find_spec, ("sphinx", "myst_parser", "furo"))):
        pytest.skip("the documentation's tools are not here; tox -e docs has them")
    folder = tmp_path_factory.mktemp("site")
    words = ["-n", "-W", "--keep-going", "-q", "-d", str(folder / "trees")]
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *words, str(DOCS), str(folder / "html")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "BENCH_REPORTS": ""},
    )
    assert done.returncode == 0, done.stderr
    found = {}
    for path in sorted((folder / "html").rglob("*.html")):
        found[path.relative_to(folder / "html").as_posix()] = links = Links()
        links.feed(path.read_text("utf-8"))
    for path in (folder / "html").rglob("*"):
        if path.is_file():
            found.setdefault(path.relative_to(folder / "html").as_posix(), Links())
    return found


def test_every_link_of_the_site_leads_somewhere(site: dict[str, Links]) -> None:
    assert sum(len(links.targets) for links in site.values()) > 1000
    broken = [
        (name, target)
        for name, links in site.items()
        for target in links.targets
        if not leads(site, name, target)
    ]
    assert broken == []


def leads(site: dict[str, Links], name: str, target: str) -> bool:
    """Whether a link of a page leads to a page and an anchor; of the web, whether it is one."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        host = re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc)
        return parts.scheme == "https" and host is not None and " " not in target
    here = Path("/", name).parent if parts.path else Path("/", name)
    place = os.path.normpath(here / unquote(parts.path)).lstrip("/")
    return place in site and parts.fragment in {"", *site[place].anchors}


def test_the_link_check_sees_what_is_broken() -> None:
    page = Links()
    page.feed('<h1 id="here">x</h1>')
    site = {"a.html": page, "b/c.html": Links()}
    for target in ("#here", "b/c.html", "a.html#here", "https://arxiv.org/abs/1"):
        assert leads(site, "a.html", target)
    assert leads(site, "b/c.html", "../a.html#here")
    for target in ("#there", "c.html", "a.html#there", "http://arxiv.org", "https://here/x"):
        assert not leads(site, "a.html", target)


def test_every_contract_is_in_the_reference(site: dict[str, Links]) -> None:
    own = {name for name, it in vars(base).items() if getattr(it, "__module__", "") == "bench.base"}
    assert {f"bench.base.{name}" for name in own} <= site["api.html"].anchors
    assert "bench.proxies.live.score" in site["api.html"].anchors


def steps(document: Path) -> Iterator[tuple[str, str]]:
    """The tutorial's files and commands, in order: a file's name or `run`, and the text."""
    for kind, text in BLOCKS.findall(document.read_text("utf-8")):
        if kind != "run":
            yield kind.removeprefix("file: "), text
            continue
        yield from (("run", line) for line in text.splitlines())


@packaged
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path) -> None:
    ran = 0
    for kind, text in steps(DOCS / "tutorial.md"):
        if kind != "run":
            (tmp_path / kind).write_text(text)
            continue
        program, *words = shlex.split(text)
        assert program == "ipl-bench"
        done = subprocess.run(
            [sys.executable, "-m", "bench", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env=without_tables(),
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
        ran += 1
    assert ran >= 5
    assert list(tmp_path.glob("reports/live/README.md"))


@packaged
def test_the_assertion_in_readme_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (test,) = re.findall(
        r"```python\n(def test_my_proxy.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    files = dict(steps(DOCS / "tutorial.md"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_proxy.py").write_text(files["my_proxy.py"])
    scope: dict[str, Any] = {}
    exec(test, scope)  # word for word
    scope["test_my_proxy"](AssertTau(tmp_path))


@packaged
def test_the_python_in_readme_runs_word_for_word() -> None:
    (code,) = re.findall(
        r"<!-- python -->\n```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
    )
    scope: dict[str, Any] = {}
    exec(code, scope)  # word for word
    assert set(scope["found"].summary()["searcher"]) == {"random", "local-search"}


def without_tables() -> dict[str, str]:
    """The environment of somebody who has downloaded nothing."""
    kept = {name: value for name, value in os.environ.items() if name != "BENCH_DATA"}
    return kept | {"PYTHONPATH": str(ROOT)}


def path_of(document: str) -> list[str]:
    """The commands that lead from nothing to a leaderboard."""
    (block,) = PATH.findall((ROOT / document).read_text("utf-8"))
    return str(block).splitlines()


def test_the_path_is_the_same_in_readme_and_has_at_most_five_commands() -> None:
    lines = path_of("docs/tutorial.md")
    assert len(lines) <= 5
    assert not any("&&" in line or ";" in line for line in lines)
    assert path_of("README.md") == lines


@packaged
def test_the_path_leads_from_a_clone_to_a_leaderboard_with_ones_own_proxy(tmp_path: Path) -> None:
    """Word for word, but for the address, and with the dependencies that are here already."""
    address = repository(tmp_path / "origin")
    environment = {name: value for name, value in without_tables().items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shown = ""
    (tmp_path / "stranger").mkdir()
    for line in path_of("docs/tutorial.md"):
        done = subprocess.run(
            line.replace("ADDRESS", shlex.quote(str(address))),
            shell=True,
            cwd=tmp_path / "stranger",
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        shown = done.stdout
        for place in tmp_path.glob("stranger/.venv/lib/python*/site-packages"):
            # What pip would fetch is found here: its packages are large.
            (place / "here.pth").write_text(sysconfig.get_path("purelib"))
    assert "my_proxy.py:few_pools" in shown
    (path,) = tmp_path.glob("stranger/ipl-bench-demo/reports/demo/*/correlations.csv")
    rows = csv.DictReader(path.read_text("utf-8").splitlines())
    assert "my_proxy.py:few_pools" in {row["proxy"] for row in rows}


def repository(folder: Path) -> Path:
    """This checkout as it is now, committed or not, as a repository to clone."""

    def git(*words: str, cwd: Path = folder) -> str:
        done = subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"expected a checkout of git, got {done.stderr.strip()}")
        return done.stdout

    names = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    git("init", "--quiet")
    git("add", "--all")
    who = ["-c", "user.name=a test", "-c", "user.email=test@example.invalid"]
    git(*who, "commit", "--quiet", "--message", "As it is")
    return folder
