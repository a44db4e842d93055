"""The page itself: one HTML file with everything in it, the same bytes for the same results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bench.reports.load import Study
from bench.reports.numbers import Numbers
from bench.reports.page import Picture, counts
from bench.reports.race import Race
from bench.reports.site import architectures, boards, leaderboards, library, pictures, provenance
from bench.reports.tables import Table

NAME = "index.html"
_SHOWN_AS_BOARDS = frozenset({"correlations", "searches"})
"""Sections whose tables stand on the page as leaderboards already."""


@dataclass(frozen=True)
class Section:
    """A part of the page: its figures and tables, and the files with the same numbers."""

    label: str
    title: str
    heading: str
    figures: tuple[pictures.Embedded, ...]
    tables: tuple[boards.Board, ...]


@dataclass(frozen=True)
class Made:
    """What made the report: for the page's foot, and to make it again."""

    command: str
    seed: int
    resamples: int


def site(
    study: Study,
    numbers: Numbers,
    race: Race | None,
    shown: Mapping[str, Sequence[Table]],
    drawn: Sequence[Picture],
    images: Mapping[str, bytes],
    made: Made,
) -> bytes:
    """The page of one study at one commit.

    Args:
        study: The study.
        numbers: What was measured of it.
        race: Its race, if it is one.
        shown: Tables by section, as on the Markdown page.
        drawn: The figures.
        images: The figures' files by name; those ending in `.png` are embedded.
        made: What made the report.
    """
    command = provenance.command_of(study)
    metrics = {each.task: each.metric for each in study.score_sets}
    found = architectures.shown(study, command)
    cards = {} if found is None else found.cards
    drawn_cards = {key: _template("card.html").render(card=card) for key, card in cards.items()}
    # Inside a script nothing but its end tag and the start of a comment must be kept apart.
    raw = (
        json.dumps(drawn_cards, ensure_ascii=False).replace("</", "<\\/").replace("<!", "<\\u0021")
    )
    text = _template("page.html").render(
        study=study,
        counts=counts(study),
        summary=leaderboards.summary(numbers, metrics),
        boards=[
            *leaderboards.boards(study, numbers, race, command),
            *([] if found is None else [found.board]),
        ],
        cards=Markup(raw),
        sections=list(_sections(shown, pictures.embed(drawn, images), command)),
        origins=provenance.origins(study),
        seeds=list(provenance.seeds(study, made.seed, made.resamples)),
        command=made.command,
        library=library.version(),
        # Ours and the library's, so what stands in them is no text to escape.
        style=Markup(_file("site.css")),
        script=Markup(_file("site.js").replace("DATATABLES", library.module_url())),
    )
    return text.encode()


def _sections(
    shown: Mapping[str, Sequence[Table]], figures: Sequence[pictures.Embedded], command: str
) -> Iterator[Section]:
    labels = dict.fromkeys([*shown, *(each.picture.section for each in figures)])
    for label in labels:
        here = tuple(each for each in figures if each.picture.section == label)
        parts = () if label in _SHOWN_AS_BOARDS else shown.get(label, ())
        files = tuple(f"{label}.{ending}" for ending in ("csv", "md", "tex"))
        tables = tuple(boards.plain(each, command=command, files=files) for each in parts)
        if here or tables:
            title = label.capitalize()
            what = [name for name, some in (("figures", here), ("tables", tables)) if some]
            yield Section(label, title, f"{title}: {' and '.join(what)}", here, tables)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("bench.reports.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def _file(name: str) -> str:
    return (Path(__file__).parent / "templates" / name).read_text(encoding="utf-8")
