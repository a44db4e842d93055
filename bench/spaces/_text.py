"""Text forms that several spaces share: what a form is, how texts are tried, how errors quote them.

Texts come from files and command lines of strangers: their length is bounded first, every
pattern is linear and ASCII only, and nothing is ever evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bench.base import Arch, ArchError, UnknownNameError

LONGEST = 4096
"""Characters of the longest text that is looked at; the longest real one has about 500."""

_SHOWN = 80
_DIGITS = re.compile(r"\(([0-9](?:,[0-9])*),?\)|\[([0-9](?:,[0-9])*),?\]")


@dataclass(frozen=True, eq=False)
class Form:
    """One way to write the architectures of a space."""

    read: Callable[[str], Arch | None]
    """The architecture of a text without blanks; None if the text is of another form."""
    write: Callable[[Arch], str]
    example: str


@dataclass(frozen=True, eq=False)
class Encoding:
    """One project's way to write architectures as bare numbers, which others number otherwise.

    A text says whose numbers it holds by the encoding's name and a colon before them, as in
    `naslib:(4, 0, 3, 1, 4, 3)`; so written, it is never read by another convention.
    """

    read: Callable[[str], Arch | None]
    """The architecture of the numbers without blanks; None if they are of another form."""
    about: str
    """Whose numbers they are, and what they mean."""


def quoted(value: object) -> str:
    """The start of a value's repr, short enough for an error message."""
    text = repr(value[: _SHOWN + 1] if isinstance(value, str | tuple | list) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def parse(
    space: str,
    forms: Mapping[str, Form],
    text: str,
    encodings: Mapping[str, Encoding] = MappingProxyType({}),
) -> Arch:
    """Read a text in the first form that fits, or in the encoding it names; blanks do not matter.

    Raises:
        ArchError: No form fits, or the text is too long to be one.
    """
    if len(text) <= LONGEST:
        compact = text.replace(" ", "").strip()
        named, colon, numbers = compact.partition(":")
        readers: Iterable[Form | Encoding] = (
            [encodings[named]] if colon and named in encodings else forms.values()
        )
        for form in readers:
            arch = form.read(numbers if isinstance(form, Encoding) else compact)
            if arch is not None:
                return arch
    examples = " or ".join(form.example for form in forms.values())
    raise ArchError(f"Expected a {space} architecture such as {examples}, got {quoted(text)}.")


def abouts(encodings: Mapping[str, Encoding]) -> dict[str, str]:
    """What each encoding's numbers mean, by its name, as `bench.base.Numbered` has it."""
    return {name: each.about for name, each in encodings.items()}


def write(space: str, forms: Mapping[str, Form], arch: Arch, form: str | None) -> str:
    """Write a checked architecture in the named form, or in the first one.

    Raises:
        UnknownNameError: The space has no such form.
    """
    if form is None:
        return next(iter(forms.values())).write(arch)
    if form not in forms:
        raise UnknownNameError(
            f"Expected a form of {space} ({', '.join(forms)}), got {quoted(form)}."
        )
    return forms[form].write(arch)


def digits(compact: str) -> Arch | None:
    """The one-digit numbers of `(1,2,3)` or `[1,2,3]`; None for any other text."""
    match = _DIGITS.fullmatch(compact)
    return tuple(map(int, (match[1] or match[2]).split(","))) if match else None


def is_integers(arch: object) -> bool:
    """Whether something that should be an architecture is a tuple of integers at all."""
    return isinstance(arch, tuple) and set(map(type, arch)) <= {int}


def check_digits(space: str, arch: Arch, length: int, operations: int) -> None:
    """Raise ArchError unless `arch` is a tuple of `length` integers below `operations`."""
    if (
        not is_integers(arch)
        or len(arch) != length
        or not all(0 <= digit < operations for digit in arch)
    ):
        raise ArchError(
            f"Expected a {space} architecture of {length} integers from 0 to {operations - 1}, "
            f"got {quoted(arch)}."
        )
