from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bench.base import GraphProxy, OptionError, Proxy, UnknownNameError
from bench.runs import members

PLUGIN = '''
def edges(graph):
    return graph.adjacency.sum()

class Stubborn:
    """Ask for one architecture only."""
    def __init__(self, problem, rng, *, depth: int = 3):
        self.arch = problem.space.sample(rng)
    def ask(self):
        return self.arch
    def tell(self, arch, validation):
        pass

class Mute:
    """Lacks tell."""
    def __init__(self, problem, rng):
        pass
    def ask(self):
        return (0,)

number = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "plugin_of_a_user.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "plugin_of_a_user"


@pytest.fixture
def plugins(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_points(group: str) -> list[EntryPoint]:
        kind = group.removeprefix("bench.")
        values = {
            "proxies": {"edges": f"{module}:edges", "gone": f"{module}:nothing"},
            "searchers": {"stubborn": f"{module}:Stubborn"},
        }
        return [EntryPoint(n, v, group) for n, v in values.get(kind, {}).items()]

    monkeypatch.setattr(members, "entry_points", entry_points)
    members.forget_plugins()
    yield
    monkeypatch.undo()
    members.forget_plugins()


@pytest.mark.parametrize("kind", ["spaces", "tables", "proxies", "searchers"])
def test_every_built_in_member_is_found_by_its_name(kind: str) -> None:
    find = {
        "spaces": members.space,
        "tables": members.reader,
        "proxies": members.proxy,
        "searchers": members.searcher,
    }
    for name in members.names(kind):
        found = find[kind](name)
        assert members.origin(kind, name) == "built-in"
        if kind != "searchers":
            assert found.name == name


def test_every_proxy_tells_its_facts() -> None:
    allowed = {"graph", "weights", "data", "labels", "gradients"}
    for name in members.names("proxies"):
        proxy = members.proxy(name)
        assert isinstance(proxy, Proxy)
        assert proxy.paper
        assert proxy.needs
        assert proxy.needs <= allowed


@pytest.mark.usefixtures("plugins")
def test_a_plugin_is_listed_and_found_like_a_built_in_member() -> None:
    assert members.names("proxies")[-2:] == ["edges", "gone"]
    assert members.names("searchers")[-1] == "stubborn"
    assert members.origin("proxies", "edges") == "plugin_of_a_user:edges"
    assert isinstance(members.proxy("edges"), GraphProxy)
    factory, options = members.searcher("stubborn,depth=4")
    assert (factory.__name__, options) == ("Stubborn", {"depth": 4})
    assert members.options(factory) == {"depth": 3}


@pytest.mark.usefixtures("plugins")
def test_a_broken_plugin_is_named_and_harms_no_other() -> None:
    from bench.commands import listing

    with pytest.raises(UnknownNameError, match="the plugin gone .* could not be loaded"):
        members.proxy("gone")
    rows = {row["name"]: row for row in listing.rows("proxies")}
    assert "could not be loaded" in rows["gone"]["problem"]
    assert rows["edges"]["paper"] == "not stated"
    assert "problem" not in rows["jacov"]


def test_module_and_file_need_no_packaging(module: str, tmp_path: Path) -> None:
    by_module = members.proxy(f"{module}:edges")
    by_file = members.proxy(f"{tmp_path / module}.py:edges")
    assert by_module.name == f"{module}:edges"
    assert isinstance(by_file, GraphProxy)
    assert members.searcher(f"{module}:Stubborn")[1] == {}


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda m: members.proxy(f"{m}:number"), UnknownNameError, "function of a graph, got int"),
        (lambda m: members.proxy(f"{m}:edge"), UnknownNameError, "no 'edge' in"),
        (lambda m: members.proxy("nowhere.py:f"), UnknownNameError, "no file nowhere.py"),
        (lambda m: members.proxy("nowhere:f"), UnknownNameError, "ModuleNotFoundError"),
        (lambda m: members.proxy("synflw"), UnknownNameError, r"did you mean synflow\?"),
        (lambda m: members.searcher(f"{m}:Mute"), UnknownNameError, "methods ask and tell"),
        (lambda m: members.searcher(f"{m}:number"), UnknownNameError, "class of searchers"),
        (lambda m: members.searcher(f"{m}:Stubborn,dept=4"), OptionError, r"did you mean depth\?"),
        (lambda m: members.searcher("random,warm"), OptionError, "option=value"),
        (lambda m: members.searcher("random,=3"), OptionError, "option=value"),
        (lambda m: members.searcher(""), UnknownNameError, "no searcher ''"),
        (lambda m: members.space("nasbench202"), UnknownNameError, "did you mean"),
        (lambda m: members.reader("darts/suit"), UnknownNameError, "did you mean darts/suite"),
    ],
)
def test_what_is_wrong_is_said(module: str, call, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(module)


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("-3", -3), ("0.5", 0.5), ("1e-3", 1e-3), ("synflow", "synflow")]
)
def test_options_are_numbers_where_they_can_be(module: str, text: str, value: object) -> None:
    assert members.searcher(f"{module}:Stubborn,depth={text}")[1] == {"depth": value}
