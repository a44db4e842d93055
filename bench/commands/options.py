"""Options that belong together, added to a command at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class Command(click.Command):
    """A command whose options that take one value are given once: none is dropped in silence."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Raise UsageError where an option of one value comes twice."""
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        for param in order:
            single = isinstance(param, click.Option) and not (param.multiple or param.is_flag)
            if single and order.count(param) > 1:
                raise click.UsageError(
                    f"expected {param.opts[0]} once, got it {order.count(param)} times", ctx
                )
        return super().parse_args(ctx, args)


class Group(click.Group):
    """The commands, each of the kind above."""

    command_class = Command


as_json = click.option("--json", "json", is_flag=True, help="One JSON object a line on stdout.")

SEED = click.IntRange(0, 2**32 - 1)
"""So that it, and as many more as there can be, fit into a column of whole numbers."""

results_folder = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default="results",
    show_default=True,
    help="The folder of results.",
)


def own_table(command: Any) -> Any:
    """The options that make a user's own file a task."""
    for option in (
        click.option("--minimise", is_flag=True, help="With --table: smaller accuracies win."),
        click.option(
            "--metric", metavar="NAME", help="With --table: what is measured, if no accuracy."
        ),
        click.option(
            "--empty",
            type=click.Choice(["failed", "unrecorded"]),
            help="With --table: what an empty or NaN score is; failed by default.",
        ),
        click.option(
            "--lower-is-better",
            multiple=True,
            metavar="PROXY",
            help="With --table: smaller values of it are better; repeatable.",
        ),
        click.option(
            "--encoding",
            metavar="NAME",
            help="With --table: whose numbers its archs are, such as naslib.",
        ),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="OURS=THEIRS",
            help="With --table: the file's name for arch, validation, test, train, "
            "targets.NAME or proxies.NAME.",
        ),
        click.option(
            "--ignore", multiple=True, metavar="COLUMN", help="With --table: no proxy; repeatable."
        ),
        click.option("--dataset", help="With --table: what its archs were trained on."),
        click.option(
            "--space",
            metavar="SPACE",
            help="With --table: the space of its archs; opaque if it is none of ours.",
        ),
        click.option(
            "--table",
            "tables",
            type=click.Path(path_type=Path),
            multiple=True,
            help="A CSV, Parquet or NAS-Bench-Suite-Zero JSON file as one more task.",
        ),
    ):
        command = option(command)
    return command


search_on = click.option(
    "--search-on",
    type=click.Choice(["test"]),
    help="Tell searchers test accuracy, for tasks that have no validation.",
)


RECIPE = "NAME[,OPTION=VALUE]..."
"""How a recipe is written; what options there are, an unknown one tells."""


def answered(command: Any) -> Any:
    """The options that say where a search's accuracies come from."""
    for option in (
        click.option(
            "--recipe",
            metavar=RECIPE,
            help="With --oracle train: how, such as digits or digits,epochs=10.",
        ),
        click.option(
            "--oracle",
            type=click.Choice(["table", "train"]),
            default="table",
            show_default=True,
            help="Read a TASK's accuracies, or train the networks of a SPACE when asked.",
        ),
    ):
        command = option(command)
    return command


def by_recipe(command: Any) -> Any:
    """The option that scores the networks and images of a training."""
    option: Any = click.option(
        "--recipe",
        metavar=RECIPE,
        help="In place of --dataset and --shape: score what make-table trains by this recipe.",
    )
    return option(command)


def chosen(command: Any) -> Any:
    """The options that say which architectures of a space are meant."""
    for option in (
        click.option("--distinct", is_flag=True, help="Of isomorphic ones, take the first."),
        click.option(
            "--archs", type=click.Path(path_type=Path), help="Those of a file, one a line."
        ),
        click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N different ones."),
        click.option("--all", "every", is_flag=True, help="All architectures of the space."),
    ):
        command = option(command)
    return command


def placed(command: Any) -> Any:
    """The options that say where networks are run."""
    for option in (
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Of each worker; another number changes numbers by rounding.",
        ),
        click.option(
            "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True
        ),
    ):
        command = option(command)
    return command


def scored(command: Any) -> Any:
    """The options that say what is scored by what."""
    for option in (
        click.option("--against", multiple=True, metavar="TASK", help="Compare; repeatable."),
        click.option(
            "--shape",
            multiple=True,
            metavar="NAME=NUMBER",
            help="What sizes the networks, such as channels=16; repeatable.",
        ),
        click.option("--seeds", type=click.IntRange(1, 1_000_000), default=1, show_default=True),
        click.option(
            "--seed",
            type=SEED,
            default=0,
            show_default=True,
            help="The first; a seed gives weights and minibatch, the same for all.",
        ),
    ):
        command = option(command)
    command = placed(command)
    for option in (
        click.option(
            "--stack",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Networks run at once; for a GPU, and nasbench201. 125 with --all is best.",
        ),
        click.option("--batch", type=click.IntRange(min=1), default=64, show_default=True),
        click.option(
            "--dataset",
            help="cifar10 (by default), cifar100, imagenet16-120, noise[,size=N][,classes=N], a "
            "file or a folder.",
        ),
        click.option("--proxy", multiple=True, help="One more: a name, or file.py:function."),
        click.option("--proxies", metavar="A,B,...", help="Names of proxies, or all."),
    ):
        command = option(command)
    return chosen(command)


def kept(study: str) -> Callable[[Any], Any]:
    """The options of a long run that goes on where it was killed; `study` is its default name."""

    def options(command: Any) -> Any:
        for option in (
            click.option(
                "--name", default=study, show_default=True, help="The study's, of results."
            ),
            click.option("--resume", is_flag=True, help="Go on with rows that are there already."),
            click.option(
                "--workers",
                type=click.IntRange(min=1),
                default=1,
                show_default=True,
                help="Processes; one a core is fastest.",
            ),
        ):
            command = option(command)
        return command

    return options


def made(command: Any) -> Any:
    """The options that say what a table is made of."""
    for option in (
        click.option(
            "--stack",
            type=click.IntRange(min=1),
            help="Networks trained at once; 32 by default for nasbench201, else 1.",
        ),
        click.option(
            "--repeated",
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            metavar="K",
            help="How many, the first ones, are trained by --repeat seeds.",
        ),
        click.option(
            "--repeat",
            type=click.IntRange(1, 1_000_000),
            default=5,
            show_default=True,
            help="With --repeated: seeds of each of these, for the noise between seeds.",
        ),
        click.option(
            "--seeds",
            type=click.IntRange(1, 1_000_000),
            default=1,
            show_default=True,
            help="Of every architecture.",
        ),
        click.option(
            "--seed",
            type=SEED,
            default=0,
            show_default=True,
            help="The first; a seed gives weights and the order of images. Samples go by it too.",
        ),
        click.option(
            "--recipe",
            default="digits",
            show_default=True,
            metavar=RECIPE,
            help="A dataset (digits, a name or file of --dataset in score), and how to train.",
        ),
    ):
        command = option(command)
    return chosen(placed(command))
