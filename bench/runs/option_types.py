"""What an option's text means: read by the type that its member states, never by a guess.

An annotation may be bool, int, float, str, a Literal of texts, numbers and truth values, None, or
a union of these, of which the first that reads the text counts, in that order. Where there is none,
the default's type counts, and text where that is None. Any other type cannot be written on a
command line, and is refused by its name.
"""

from __future__ import annotations

import inspect
import math
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from bench.base import OptionError

_Reader: TypeAlias = Callable[[str], Any]
"""Raises ValueError for a text that is none of its type."""


def value_of(option: str, text: str, parameter: inspect.Parameter, member: Any) -> Any:
    """An option's value.

    Args:
        option: Its name, for errors.
        text: As somebody wrote it.
        parameter: The member's, of that name.
        member: The class or function that has the option; its annotations' names are known there.

    Raises:
        OptionError: The text is no value of the option's type, or that type is none that can be
            written.
    """
    stated = _stated(option, parameter, member)
    readers = _readers(stated)
    if not readers:
        raise OptionError(
            f"expected {option} as a {_name(stated)}, which cannot be written here: options are "
            f"read as bool, int, float, str or one of a Literal; got {text!r}"
        )
    for reader in sorted(readers, key=_ORDER.index):
        try:
            return readers[reader](text)
        except ValueError:
            continue
    raise OptionError(f"expected {option} as {_wanted(stated)}, got {text!r}")


def _stated(option: str, parameter: inspect.Parameter, member: Any) -> Any:
    """The type that a parameter states, or else that of its default; Any where neither says."""
    stated = parameter.annotation
    if isinstance(stated, str):
        holder = type("Holder", (), {"__annotations__": {option: stated}})
        try:
            stated = get_type_hints(holder, globalns=dict(_globals(member)))[option]
        except Exception as error:
            # Such as a name that is imported for type checkers only.
            raise OptionError(
                f"expected {option} to state a type that is known when it runs, got {stated!r}: "
                f"{type(error).__name__}: {error}"
            ) from error
    if stated not in (inspect.Parameter.empty, Any):
        return stated
    default = parameter.default
    return Any if default is None or default is inspect.Parameter.empty else type(default)


def _globals(member: Any) -> Mapping[str, Any]:
    """The names that a member's annotations are written in."""
    while isinstance(member, partial):
        member = member.func
    initial = getattr(member, "__init__", member) if isinstance(member, type) else member
    function: Any = inspect.unwrap(initial)
    if not hasattr(function, "__globals__"):
        function = getattr(function, "__func__", type(member).__call__)
    found: Mapping[str, Any] = getattr(function, "__globals__", {})
    return found


def _readers(stated: Any) -> dict[str, _Reader]:
    """How texts are read as a type, or as each of a union; nothing where they cannot be."""
    readers: dict[str, _Reader] = {}
    for each in _members(stated):
        if get_origin(each) is Literal:
            readers["Literal"] = partial(_one_of, get_args(each))
        elif each is Any:
            readers["str"] = str
        elif each in _PLAIN:
            readers[each.__name__] = _PLAIN[each]
    # None alone, or beside what cannot be written, is no type to write.
    if readers and type(None) in _members(stated):
        readers["None"] = _none
    return readers


def _members(stated: Any) -> tuple[Any, ...]:
    """The types of a union, or the one that there is."""
    return get_args(stated) if get_origin(stated) in (Union, types.UnionType) else (stated,)


def _name(stated: Any) -> str:
    others = [it for it in _members(stated) if it is not type(None)]
    return " or ".join(it.__name__ if isinstance(it, type) else str(it) for it in others)


def _wanted(stated: Any) -> str:
    """What is wanted, in words."""
    words = []
    for each in _members(stated):
        if get_origin(each) is Literal:
            words.append(f"one of {', '.join(map(_written, get_args(each)))}")
        elif each is bool:
            words.append("true or false")
        elif each in _PLAIN:
            words.append(each.__name__)
    return " or ".join(words)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _one_of(values: tuple[Any, ...], text: str) -> Any:
    for value in values:
        if _written(value) == text:
            return value
    raise ValueError(text)


def _truth(text: str) -> bool:
    return bool(_one_of((True, False), text))


def _real(text: str) -> float:
    value = float(text)
    if math.isnan(value):
        raise ValueError(text)
    return value


def _none(text: str) -> None:
    _one_of((None,), text)


_PLAIN: Mapping[Any, _Reader] = {bool: _truth, int: int, float: _real, str: str}
_ORDER = ("Literal", "None", "bool", "int", "float", "str")
