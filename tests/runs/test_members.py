from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from bench.base import GraphProxy, OptionError, Proxy, UnknownNameError
from bench.proxies.computed import Computed
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

class Typed:
    """Options of every kind."""
    def __init__(self, problem, rng, *, size: int = 3, rate: float = 0.5, name: str | None = None):
        pass
    def ask(self):
        return (0,)
    def tell(self, arch, validation):
        pass

class AsClass:
    name = "as-class"
    higher_is_better = False
    needs = frozenset({"graph"})
    paper = "none"
    def __call__(self, graph):
        return 1.0

class Mute:
    """Lacks tell."""
    def __init__(self, problem, rng):
        pass
    def ask(self):
        return (0,)

def live(loss_gradients, weights, scale=2.0):
    """A score of two passes.

    More on it.
    """
    return 1.0
live.higher_is_better = False
live.paper = "mine, 2025"

def misspelt(loss_gradient):
    return 1.0

def mixed(graph, weights):
    return 1.0

number = 3

def guess(problem, query, rng, *, many: int = 5, how: str = "well"):
    """Predict."""

def switched(
    problem, query, rng, *, stated: bool = False, unstated=False, maybe: bool | None = None
):
    """Predict, or not."""
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
            "predictors": {"guess": f"{module}:guess"},
        }
        return [EntryPoint(n, v, group) for n, v in values.get(kind, {}).items()]

    monkeypatch.setattr(members, "entry_points", entry_points)
    members.forget_plugins()
    yield
    monkeypatch.undo()
    members.forget_plugins()


@pytest.mark.parametrize("kind", ["spaces", "tables", "proxies", "searchers", "predictors"])
def test_every_built_in_member_is_found_by_its_name(kind: str) -> None:
    find = {
        "spaces": members.space,
        "tables": members.reader,
        "proxies": members.proxy,
        "searchers": members.searcher,
        "predictors": members.predictor,
    }
    for name in members.names(kind):
        found = find[kind](name)
        # `ipl` is of this distribution, and found as anybody's plugin is.
        assert members.origin(kind, name) == ("ipl-bench" if name == "ipl" else "built-in")
        if kind not in {"searchers", "predictors"}:
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
    assert members.names("predictors")[-1] == "guess"
    function, options = members.predictor("guess,many=7")
    assert (function.__name__, options) == ("guess", {"many": 7})  # type: ignore[attr-defined]
    assert members.options(function) == {"many": 5, "how": "well"}


@pytest.mark.usefixtures("plugins")
def test_a_broken_plugin_is_named_and_harms_no_other() -> None:
    from bench.api import members as listing

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
    assert members.predictor(f"{tmp_path / module}.py:guess,how=ill")[1] == {"how": "ill"}


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda m: members.proxy(f"{m}:number"), UnknownNameError, "function of a graph, got int"),
        (lambda m: members.proxy(f"{m}:edge"), UnknownNameError, "no 'edge' in"),
        (lambda m: members.proxy("nowhere.py:f"), UnknownNameError, r"no file .*nowhere.py"),
        (lambda m: members.proxy("nowhere:f"), UnknownNameError, "ModuleNotFoundError"),
        (lambda m: members.proxy("synflw"), UnknownNameError, r"did you mean synflow\?"),
        (lambda m: members.searcher(f"{m}:Mute"), UnknownNameError, "methods ask and tell"),
        (lambda m: members.searcher(f"{m}:number"), UnknownNameError, "class of searchers"),
        (lambda m: members.searcher(f"{m}:Stubborn,dept=4"), OptionError, r"did you mean depth\?"),
        (lambda m: members.predictor(f"{m}:number"), UnknownNameError, "predicts, got int"),
        (lambda m: members.predictor(f"{m}:guess,man=4"), OptionError, r"predictor .*mean many\?"),
        (lambda m: members.predictor(f"{m}:guess,many"), OptionError, "a predictor as name,option"),
        (lambda m: members.predictor("forst"), UnknownNameError, r"no predictor .*mean forest\?"),
        (lambda m: members.searcher("random,warm"), OptionError, "option=value"),
        (lambda m: members.searcher("random,=3"), OptionError, "option=value"),
        (lambda m: members.searcher(""), UnknownNameError, "no searcher ''"),
        (lambda m: members.proxy(f"{m}:misspelt"), UnknownNameError, "did you mean loss_gradients"),
        (lambda m: members.proxy(f"{m}:mixed"), UnknownNameError, "a parameter graph; passes are"),
        (lambda m: members.named("resnet"), UnknownNameError, "module:object or file.py:object"),
        (lambda m: members.named(f"{m}:nothing"), UnknownNameError, "no 'nothing' in"),
        (lambda m: members.space("nasbench202"), UnknownNameError, "did you mean"),
        (lambda m: members.reader("darts/suit"), UnknownNameError, "did you mean darts/suite"),
    ],
)
def test_what_is_wrong_is_said(module: str, call, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(module)


def test_options_have_the_type_that_the_searcher_states(module: str) -> None:
    _, options = members.searcher(f"{module}:Typed,size=4,rate=1,name=007")
    assert options == {"size": 4, "rate": 1.0, "name": "007"}
    assert isinstance(options["rate"], float)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("stated=true", {"stated": True}),
        ("stated=false", {"stated": False}),
        ("unstated=true", {"unstated": True}),
        ("maybe=false", {"maybe": False}),
    ],
)
def test_an_option_that_is_true_or_false_is_read_as_such(
    module: str, said: str, meant: dict[str, bool]
) -> None:
    _, options = members.predictor(f"{module}:switched,{said}")
    assert options == meant
    assert isinstance(next(iter(options.values())), bool)


@pytest.mark.parametrize("option", ["stated", "unstated", "maybe"])
@pytest.mark.parametrize("value", ["maybe", "1", "0", "True", "no"])
def test_anything_but_true_or_false_is_refused(module: str, option: str, value: str) -> None:
    with pytest.raises(OptionError, match=f"expected {option} as true or false, got '{value}'"):
        members.predictor(f"{module}:switched,{option}={value}")


@pytest.mark.parametrize("wrong", ["size=2.5", "size=abc", "rate=fast", "size=3,size=4"])
def test_options_of_another_type_or_twice_are_refused(module: str, wrong: str) -> None:
    with pytest.raises(OptionError, match=r"expected (size as int|rate as float|every option)"):
        members.searcher(f"{module}:Typed,{wrong}")


def test_a_function_of_passes_is_a_computed_proxy_with_its_facts(module: str) -> None:
    proxy = members.proxy(f"{module}:live")
    assert isinstance(proxy, Computed)
    assert not isinstance(proxy, GraphProxy)
    assert (proxy.name, proxy.passes) == (f"{module}:live", ("loss_gradients", "weights"))
    assert (proxy.higher_is_better, proxy.paper) == (False, "mine, 2025")
    assert (proxy.definition, proxy.needs) == ("A score of two passes.", {"weights"})
    assert proxy.function(None, None) == 1.0


def test_a_class_of_proxies_is_made_an_instance(module: str) -> None:
    proxy = members.proxy(f"{module}:AsClass")
    assert isinstance(proxy, GraphProxy)
    assert not proxy.higher_is_better


def test_a_file_is_run_once_and_may_hold_dataclasses_and_import_its_neighbours(
    tmp_path: Path,
) -> None:
    (tmp_path / "neighbour_of_mine.py").write_text("value = 2.0\n")
    path = tmp_path / "a_file_of_mine.py"
    path.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "import neighbour_of_mine\n"
        "@dataclass\nclass Thing:\n    size: int\n"
        "runs = []\n"
        "def mine(graph):\n    runs.append(1)\n"
        "    return neighbour_of_mine.value * len(runs)\n"
    )
    graph = members.space("transnasbench101-micro").graph((0,) * 6)
    for expected in (2.0, 4.0):
        proxy = members.proxy(f"{path}:mine")
        assert isinstance(proxy, GraphProxy)
        assert proxy(graph) == expected


def test_a_module_that_exits_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a_file_that_exits.py"
    path.write_text("import sys\nsys.exit(0)\n")
    with pytest.raises(UnknownNameError, match="SystemExit"):
        members.proxy(f"{path}:mine")


ODD = """
from __future__ import annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Optional, Union
if TYPE_CHECKING:
    from nowhere import Absent

@dataclass
class Point:
    x: int

class Printer: ...

class Searcher:
    def __init__(
        self, problem, rng, *,
        point: Point | None = None,
        where: Point | str = "here",
        printer: Printer = None,
        many: list[int] = (),
        absent: Absent = None,
        count: Optional[int] = None,
        either: Union[int, float] = 1,
        number: int | str = 1,
        kind: Literal["ranks", "tau", 3, True] = "tau",
        some: Literal["a"] | None = None,
        anything: Any = 5,
        flag: bool | str = False,
        shape=(1, 2),
        unknown=None,
    ):
        pass
    def ask(self): ...
    def tell(self, arch, validation): ...

def predict(problem, query, rng, *, mode: Literal["x", "y"] = "x", point: Point | None = None):
    ...
"""


@pytest.fixture
def odd(tmp_path: Path) -> str:
    path = tmp_path / "odd_options_of_a_user.py"
    path.write_text(ODD)
    return f"{path}:Searcher"


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("where=intercept", "intercept"),
        ("count=7", 7),
        ("count=none", None),
        ("either=2", 2),
        ("either=2.5", 2.5),
        ("number=2", 2),
        ("number=two", "two"),
        ("kind=ranks", "ranks"),
        ("kind=3", 3),
        ("kind=true", True),
        ("some=a", "a"),
        ("some=none", None),
        ("anything=6", 6),
        ("flag=true", True),
        ("flag=often", "often"),
        ("unknown=5", "5"),
        (" count = 7 ", 7),
    ],
)
def test_an_option_is_read_by_the_type_that_is_stated(odd: str, given: str, value: object) -> None:
    ((_, found),) = members.searcher(f"{odd},{given}")[1].items()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("point=3", "expected point as a Point, which cannot be written here"),
        ("printer=3", "expected printer as a Printer, which cannot be written here"),
        ("many=3", r"expected many as a list\[int\], which cannot be written here"),
        ("shape=3", "expected shape as a tuple, which cannot be written here"),
        ("absent=3", "expected absent to state a type that is known when it runs, got 'Absent'"),
        ("count=many", "expected count as int, got 'many'"),
        ("either=nan", "expected either as int or float, got 'nan'"),
        ("kind=rank", "expected kind as one of ranks, tau, 3, true, got 'rank'"),
        ("some=b", "expected some as one of a, got 'b'"),
    ],
)
def test_an_option_that_cannot_be_read_is_refused_by_name(odd: str, given: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        members.searcher(f"{odd},{given}")


def test_predictors_options_are_read_alike(odd: str) -> None:
    name = odd.replace("Searcher", "predict")
    assert members.predictor(f"{name},mode=y")[1] == {"mode": "y"}
    with pytest.raises(OptionError, match="expected point as a Point"):
        members.predictor(f"{name},point=int")
