"""Options that belong together, added to a command at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


def own_table(command: Any) -> Any:
    """The options that make a user's own file a task."""
    for option in (
        click.option("--minimise", is_flag=True, help="With --table: smaller accuracies win."),
        click.option(
            "--column",
            "columns",
            multiple=True,
            metavar="OURS=THEIRS",
            help="With --table: the file's name for arch, validation, test or train.",
        ),
        click.option(
            "--ignore", multiple=True, metavar="COLUMN", help="With --table: no proxy; repeatable."
        ),
        click.option("--dataset", help="With --table: what its archs were trained on."),
        click.option("--space", metavar="SPACE", help="With --table: the space of its archs."),
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
            type=click.IntRange(min=0),
            default=0,
            show_default=True,
            help="The first; a seed gives weights and minibatch, the same for all.",
        ),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            help="Of each worker; another number changes scores by rounding.",
        ),
        click.option(
            "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True
        ),
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
            default="cifar10",
            show_default=True,
            help="cifar10, cifar100, imagenet16-120, noise[,size=N][,classes=N], or a file.",
        ),
        click.option("--proxy", multiple=True, help="One more: a name, or file.py:function."),
        click.option("--proxies", metavar="A,B,...", help="Names of proxies, or all."),
        click.option("--distinct", is_flag=True, help="Of isomorphic ones, score the first."),
        click.option(
            "--archs", type=click.Path(path_type=Path), help="Those of a file, one a line."
        ),
        click.option("--sample", type=click.IntRange(min=1), metavar="N", help="N different ones."),
        click.option("--all", "every", is_flag=True, help="All architectures of the space."),
    ):
        command = option(command)
    return command
