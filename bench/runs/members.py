"""Members by name: the built-in ones, plugins by entry point, and `module:object`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import predictors, proxies, searchers, spaces, tables
from bench.base import (
    BenchError,
    Graph,
    OptionError,
    Predictor,
    Proxy,
    Searcher,
    SearcherFactory,
    Space,
    TableReader,
    UnknownNameError,
)
from bench.proxies.computed import LENT_PASSES, PASS_NAMES, Computed
from bench.runs.option_types import value_of

if TYPE_CHECKING:
    from bench.networks import Network

_BUILT_IN: Mapping[str, Mapping[str, Any]] = {
    "spaces": {space.name: space for space in spaces.SPACES},
    "tables": {reader.name: reader for reader in tables.TABLES},
    "proxies": {proxy.name: proxy for proxy in proxies.PROXIES},
    "searchers": searchers.SEARCHERS,
    "predictors": predictors.PREDICTORS,
    "passes": dict.fromkeys(PASS_NAMES),
}


@dataclass(frozen=True)
class FunctionProxy:
    """A user's plain function of a graph, made a proxy; facts may stand on it as attributes."""

    name: str
    function: Callable[[Graph], float]
    higher_is_better: bool = True
    paper: str = "not stated"
    needs: frozenset[str] = frozenset({"graph"})

    def __call__(self, graph: Graph) -> float:
        """Call the function."""
        return self.function(graph)


_LENT: dict[str, dict[str, Any]] = {kind: {} for kind in _BUILT_IN} | {"passes": LENT_PASSES}
"""Objects that a caller lends for a while, by kind and name."""


@contextmanager
def lent(kind: str, members: Iterable[Any]) -> Iterator[list[str]]:
    """Know a caller's own objects by name meanwhile; texts stand for members that are known.

    Args:
        kind: `proxies`, `passes`, `searchers` or `predictors`.
        members: Texts, objects, or pairs of a name and an object. An object is called what its
            `name` says, or else its `__name__`.

    Yields:
        A name for each.

    Raises:
        OptionError: Two would have one name, or one that is another member's, or it has none.
    """
    own: dict[str, Any] = {}
    found = []
    for member in members:
        name = _name_of(kind, member)
        if not isinstance(member, str):
            given = member[1] if isinstance(member, tuple) else member
            if own.get(name, given) is not given or known(kind, name):
                raise OptionError(
                    f"expected names of {kind} to differ from each other and from those that are "
                    f"known, got {name!r} twice; a pair (name, object) gives another"
                )
            own[name] = given
        found.append(name)
    _LENT[kind].update(own)
    try:
        yield found
    finally:
        for name in own:
            del _LENT[kind][name]


def listed(given: Any) -> list[Any]:
    """What a caller names, as a list: one member, a pair (name, object), or a sequence of them."""
    if isinstance(given, list):
        return given
    if isinstance(given, Iterator | set | frozenset):
        return list(given)
    if isinstance(given, tuple):
        pair = len(given) == 2 and isinstance(given[0], str) and not isinstance(given[1], str)
        return [given] if pair else list(given)
    return [given]


def _name_of(kind: str, member: Any) -> str:
    if isinstance(member, str):
        return member
    name = member[0] if isinstance(member, tuple) and len(member) == 2 else None
    name = name or getattr(member, "name", None) or getattr(member, "__name__", None)
    if not isinstance(name, str) or "," in name:
        raise OptionError(
            f"expected {kind} by name, or objects with a name, or pairs (name, object) whose name "
            f"is a text without commas, got {member!r}"
        )
    return name


@cache
def _plugins(kind: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"bench.{kind}")}


def forget_plugins() -> None:
    """Look for plugins anew; what is installed may have changed."""
    _plugins.cache_clear()


def names(kind: str) -> list[str]:
    """All names of a kind (`spaces`, `tables`, `proxies`, ...), built-in ones first."""
    return list(dict.fromkeys([*_BUILT_IN[kind], *_LENT[kind], *_plugins(kind)]))


def known(kind: str, name: str) -> bool:
    """Whether there is a member of that name, and not only an object to import."""
    return name in _BUILT_IN[kind] or name in _LENT[kind] or name in _plugins(kind)


def origin(kind: str, name: str) -> str:
    """Where a member comes from: `built-in`, or the distribution of its plugin."""
    if name in _BUILT_IN[kind]:
        return "built-in"
    if name in _LENT[kind]:
        return "lent"
    entry = _plugins(kind)[name]
    return entry.dist.name if entry.dist is not None else entry.value


def space(name: str) -> Space:
    """The space of that name. Raises UnknownNameError."""
    member = _member("spaces", name)
    if not isinstance(member, Space):
        raise UnknownNameError(f"expected {name} to be a space, got {type(member).__name__}")
    return member


def network(name: str) -> Network:
    """How architectures of a space become modules; torch is needed.

    That is what an entry point of the group `bench.networks` by the space's name says, or else the
    space itself, as its `network`. Raises UnknownNameError where neither does.
    """
    from bench.networks import NETWORKS, Network

    if name in NETWORKS:
        return NETWORKS[name]
    entry = _plugins("networks").get(name)
    if entry is not None:
        found = _imported(f"the plugin {name} ({entry.value})", entry.load)
    else:
        found = getattr(space(name), "network", None)
    if not isinstance(found, Network):
        raise UnknownNameError(
            f"expected the space {name} to have networks, by an entry point of bench.networks or "
            f"as its `network`, got {type(found).__name__}; {', '.join(NETWORKS)} have some"
        )
    return found


def reader(name: str) -> TableReader:
    """The table reader of that name. Raises UnknownNameError."""
    member = _member("tables", name)
    if not isinstance(member, TableReader):
        raise UnknownNameError(f"expected {name} to be a TableReader, got {type(member).__name__}")
    return member


def proxy(name: str) -> Proxy:
    """The proxy of that name, or of `module:object`. Raises UnknownNameError.

    A plain function is one of what passes recorded, if each of its parameters has the name of a
    pass, and one of a graph otherwise; `higher_is_better`, `paper` and `needs` may stand on it.
    """
    member = _member("proxies", name)
    if isinstance(member, type):
        member = _imported(name, member)
    if isinstance(member, Proxy):
        return member
    if callable(member):
        return of_function(name, member)
    raise UnknownNameError(
        f"expected {name} to be a proxy or a function of a graph, got {type(member).__name__}"
    )


def of_function(name: str, member: Callable[..., Any]) -> Proxy:
    """A user's function as a proxy of that name, as `proxy` tells. Raises UnknownNameError."""
    facts: dict[str, Any] = {
        "higher_is_better": bool(getattr(member, "higher_is_better", True)),
        "paper": str(getattr(member, "paper", "not stated")),
    }
    passes = _passes(name, member)
    if not passes:
        return FunctionProxy(name, member, **facts)
    about = (inspect.getdoc(member) or "not stated").splitlines()[0]
    needs = frozenset(getattr(member, "needs", {"weights"}))
    return Computed(name, member, passes, needs, follows="nothing", definition=about, **facts)


def _passes(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """The passes whose records a function wants; none where it is one of a graph.

    Raises UnknownNameError where its parameters are neither: a pass misspelt, or more than one.
    """
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C
        return ()
    wanted = [
        each.name
        for each in parameters
        if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
    ]
    passes = names("passes")
    foreign = [each for each in wanted if each not in passes]
    misspelt = [each for each in foreign if get_close_matches(each, passes, cutoff=0.8)]
    if misspelt or (foreign and len(wanted) > 1):
        first = (misspelt or foreign)[0]
        raise UnknownNameError(
            f"expected {name} to take one graph, or passes by their names, got a parameter "
            f"{first}{_hint(first, passes)}; passes are {', '.join(passes)}"
        )
    return () if foreign else tuple(wanted)


def named(text: str) -> Any:
    """The object of `module:object` or `file.py:object`. Raises UnknownNameError."""
    if ":" not in text:
        raise UnknownNameError(f"expected module:object or file.py:object, got {text!r}")
    return _imported(text, lambda: _object(text))


def searcher(text: str) -> tuple[SearcherFactory, dict[str, Any]]:
    """The searcher and options of `name` or `name,option=value,...`.

    Raises UnknownNameError, and OptionError for an option that the searcher does not have.
    """
    name = text.partition(",")[0]
    factory: SearcherFactory = _member("searchers", name)
    if not callable(factory):
        raise UnknownNameError(
            f"expected {name} to be a class of searchers, got {type(factory).__name__}"
        )
    if isinstance(factory, type) and not issubclass(factory, Searcher):
        raise UnknownNameError(f"expected {name} to have the methods ask and tell; it lacks one")
    return factory, _given("searcher", text, factory)


def predictor(text: str) -> tuple[Predictor, dict[str, Any]]:
    """The predictor and options of `name` or `name,option=value,...`.

    Raises UnknownNameError, and OptionError for an option that the predictor does not have.
    """
    name = text.partition(",")[0]
    function = _member("predictors", name)
    if not callable(function):
        raise UnknownNameError(
            f"expected {name} to be a function that predicts, got {type(function).__name__}"
        )
    return function, _given("predictor", text, function)


def _given(kind: str, text: str, member: Callable[..., Any]) -> dict[str, Any]:
    """The options in `name,option=value,...`. Raises OptionError for what the member lacks."""
    name, *pairs = text.split(",")
    allowed = _parameters(name, member)
    given: dict[str, Any] = {}
    for pair in pairs:
        option, equals, value = (part.strip() for part in pair.partition("="))
        if not (equals and option.isidentifier() and value):
            raise OptionError(f"expected a {kind} as name,option=value,..., got {text!r}")
        if option not in allowed:
            raise OptionError(
                f"the {kind} {name} has no option {option!r}{_hint(option, allowed)}; "
                f"it takes {', '.join(allowed) or 'none'}"
            )
        if option in given:
            raise OptionError(f"expected every option once, got {option} twice in {text!r}")
        given[option] = value_of(option, value, allowed[option], member)
    return given


def options(factory: Callable[..., Any]) -> dict[str, Any]:
    """The options of a searcher or predictor and their defaults: its keyword-only parameters."""
    return {
        name: None if parameter.default is parameter.empty else parameter.default
        for name, parameter in _parameters(str(factory), factory).items()
    }


def _parameters(name: str, factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError) as error:
        raise UnknownNameError(f"expected {name} to be a function with options: {error}") from error
    return {
        parameter.name: parameter
        for parameter in parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def did_you_mean(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a name that is not known, with the nearest ones."""
    known = list(known)
    return UnknownNameError(
        f"there is no {kind} {name!r}{_hint(name, known)}; there are {len(known)}: "
        f"{', '.join(known)}"
    )


def _hint(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {near[0]}?)" if near else ""


def _member(kind: str, name: str) -> Any:
    if name in _BUILT_IN[kind]:
        return _BUILT_IN[kind][name]
    if name in _LENT[kind]:
        return _LENT[kind][name]
    if name in _plugins(kind):
        entry = _plugins(kind)[name]
        return _imported(f"the plugin {name} ({entry.value})", entry.load)
    if ":" in name and kind in {"spaces", "proxies", "searchers", "predictors"}:
        return _imported(name, lambda: _object(name))
    singular = {"tables": "task", "proxies": "proxy"}.get(kind, kind.removesuffix("s"))
    raise did_you_mean(singular, name, names(kind))


def _imported(what: str, load: Callable[[], Any]) -> Any:
    """Run a user's code; whatever it raises is told in one sentence."""
    try:
        return load()
    except BenchError:
        raise
    except (Exception, SystemExit) as error:
        raise UnknownNameError(
            f"{what} could not be loaded: {type(error).__name__}: {error}"
        ) from error


def _object(text: str) -> Any:
    """The object of `module:object`, also from the working folder, or of `file.py:object`."""
    module_name, _, attribute = text.rpartition(":")
    if module_name.endswith(".py"):
        module = _module_of(Path(module_name).resolve())
    else:
        if "" not in sys.path and str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        raise UnknownNameError(f"there is no {attribute!r} in {module_name}")
    return getattr(module, attribute)


@cache
def _module_of(path: Path) -> Any:
    """A file as a module, run once; files beside it can be imported by it."""
    if not path.is_file():
        raise UnknownNameError(f"there is no file {path}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UnknownNameError(f"expected a Python file, got {path}")
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    # As the import system does: dataclasses look their module up there.
    sys.modules.setdefault(path.stem, module)
    spec.loader.exec_module(module)
    return module
