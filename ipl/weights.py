"""The weights of the unified score: published, found on labels, or found elsewhere and transferred.

The unified score of an architecture is the sum over proxies of weight times transformed score
(UP-NAS, Huang et al., CVPR 2024 workshops, equation 1). Four modes are the thesis's: `equal`;
`equal-without-grasp`, which is dear; `published`, real weights found by Optuna's TPE; `selected`,
those weights cut at one half to 0 and 1. Ours are `found`, on this task's labels, which cost
queries, and `transferred`, found once on another task.

Shapes: `n` labelled architectures, `p` proxies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources

import numpy as np

from bench.base import DataError, Floats, OptionError, Problem
from ipl.ranks import mean_ranks

PUBLISHED: Mapping[str, float] = {
    "jacov": 1.0,
    "synflow": 0.840,
    "flops": 0.609,
    "grasp": 0.441,
    "zen": 0.416,
    "params": -0.587,
    "fisher": -0.342,
    "snip": -0.164,
    "l2_norm": -0.100,
}
"""Table of UP-NAS, as far as it is known: nwot, grad_norm, epe_nas and plain are not told."""

SELECTED = ("flops", "synflow", "jacov", "nwot")
MODES = ("equal", "equal-without-grasp", "published", "selected", "transferred", "found")
OBJECTIVES = ("ranks", "tau")
RIDGE = 0.01
"""Of the number of labels."""
TRANSFERRED = "transferred.json"


def weights(mode: str, proxies: Sequence[str], task: str | None = None) -> Floats:
    """The `p` weights of a mode that needs no labels; 0 for a proxy that it does not know.

    Args:
        mode: Any of MODES but `found`.
        proxies: The `p` proxies that there are.
        task: For `transferred`, which of the tasks in transferred.json; the first if None.

    Raises:
        OptionError: No such mode, or none of its proxies is there.
    """
    known = of_mode(mode, proxies, task)
    found = np.array([known.get(name, 0.0) for name in proxies])
    if not found.any():
        raise OptionError(
            f"expected at least one proxy of weights={mode} ({', '.join(known)}), got only "
            f"{', '.join(proxies) or 'none'}"
        )
    return found


def of_mode(mode: str, proxies: Sequence[str], task: str | None = None) -> Mapping[str, float]:
    """All weights that a mode knows by proxy, of proxies that there are or not.

    Raises OptionError for no such mode or task.
    """
    if mode == "equal":
        return dict.fromkeys(proxies, 1.0)
    if mode == "equal-without-grasp":
        return {name: 1.0 for name in proxies if name != "grasp"}
    if mode == "published":
        return PUBLISHED
    if mode == "selected":
        return dict.fromkeys(SELECTED, 1.0)
    if mode == "transferred":
        return transferred(task)
    raise OptionError(f"expected weights among {', '.join(MODES)}, got {mode!r}")


def unify(scores: Floats, vector: Floats) -> Floats:
    """The `a` unified scores of `a x p` transformed scores: their sum with `p` weights.

    A score that failed, NaN, counts as the worst of the others: the lowest where its weight is
    positive, the highest where it is negative, and 0 where there are no others.
    """
    filled = scores.copy()
    for place, weight in enumerate(vector.tolist()):
        known = scores[np.isfinite(scores[:, place]), place]
        worst = (known.min() if weight > 0 else known.max()) if len(known) else 0.0
        filled[np.isnan(scores[:, place]), place] = worst
    summed: Floats = filled @ vector
    return summed


def transferred(task: str | None) -> Mapping[str, float]:
    """Weights that were found on a task; transferred.json tells how. Raises OptionError."""
    return _known()[found_on(task)]


@cache
def _known() -> Mapping[str, Mapping[str, float]]:
    text = resources.files("ipl").joinpath(TRANSFERRED).read_text(encoding="utf-8")
    known: dict[str, dict[str, float]] = json.loads(text)["weights"]
    return known


def source(mode: str, task: str | None, problem: Problem, *, leak: bool = False) -> str | None:
    """The task whose labels the weights of a mode were found on; None where they need none.

    Args:
        mode: Any of MODES.
        task: For `transferred`, which of the tasks in transferred.json; the first if None.
        problem: What they are to be used on.
        leak: Whether that may be the very task they were found on.

    Raises:
        OptionError: They were found on these very accuracies, and `leak` does not say that this is
            wanted; or there are no weights of that task.
    """
    if mode == "found":
        return problem.task or "this task"
    if mode != "transferred":
        return None
    where = found_on(task)
    if not leak and _same_space(where, problem) and not _is_told(problem):
        raise OptionError(
            f"expected data that can be told from that of {where}, of which 1,000 accuracies "
            f"found the weights, got {problem.dataset!r} for {problem.task or 'the same cells'}; "
            f"say which of {', '.join(_DATA)} it is, or weights=equal, or leak=true to have them "
            "all the same"
        )
    if is_own(where, problem) and not leak:
        others = " or ".join(f"found_on={each}" for each in _known() if not is_own(each, problem))
        raise OptionError(
            f"expected weights that were not found on what is searched, got those found on 1,000 "
            f"accuracies of {where} for {problem.task or 'the same cells'}, which are of the same "
            f"cells and data; say {others}, weights=equal, or leak=true to have it so all the same"
        )
    return where


def found_on(task: str | None) -> str:
    """The name of a task in transferred.json; of the first if None. Raises OptionError."""
    known = _known()
    name = next(iter(known)) if task is None else task
    if name not in known:
        raise OptionError(f"expected weights found on one of {', '.join(known)}, got {task!r}")
    return name


def is_own(where: str, problem: Problem) -> bool:
    """Whether a task's labels are of the architectures and data that a problem is about.

    Data are told by their name, `cifar10-valid` or a file called `my-CIFAR-10` among CIFAR-10's.
    """
    dataset = where.partition("/")[2]
    named = re.escape(_plain(dataset)) + r"(?!\d)"
    return _same_space(where, problem) and re.search(named, _plain(problem.dataset)) is not None


_DATA = ("cifar10", "cifar100", "ImageNet16-120", "digits")
"""What cells are trained on whose labels weights were found on, or that are known to be others."""


def _same_space(where: str, problem: Problem) -> bool:
    return problem.space.name == where.partition("/")[0].removesuffix("-suite")


def _is_told(problem: Problem) -> bool:
    """Whether the name of a problem's data says which data that is, and not only a file's name."""
    name = _plain(problem.dataset)
    return any(_plain(each) in name for each in _DATA)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def found(
    scores: Floats,
    accuracies: Floats,
    *,
    objective: str = "ranks",
    trials: int = 300,
    rng: np.random.Generator,
) -> Floats:
    """Find `p` weights on labels, the largest of size 1.

    Args:
        scores: `n x p` transformed scores, NaN where unknown.
        accuracies: `n` accuracies, larger is better.
        objective: `tau`, the thesis's: Kendall's tau-b of unified score and accuracy, maximised by
            Optuna's TPE within [-1, 1]. `ranks`, ours: least squares of the squared rank of the
            accuracy, with a little ridge; exact, of one answer where proxies are near collinear,
            and it looks at the better half, which is where a search goes.
        trials: How many weights TPE tries.
        rng: Seeds TPE.

    Raises:
        DataError: Fewer than two different accuracies.
        OptionError: No such objective, no trials, or Optuna is not installed.
    """
    if objective not in OBJECTIVES:
        raise OptionError(f"expected objective among {', '.join(OBJECTIVES)}, got {objective!r}")
    if trials < 1:
        raise OptionError(f"expected trials to be at least 1, got {trials}")
    if len(np.unique(accuracies)) < 2:
        raise DataError(
            f"expected labels that differ to find weights on, got {len(accuracies)} of "
            f"{len(np.unique(accuracies))} values"
        )
    filled = np.nan_to_num(scores)
    if objective == "tau":
        best = _by_tpe(filled, _tau(accuracies), trials, int(rng.integers(2**32)))
    else:
        best = _by_least_squares(filled, accuracies)
    return best / (np.abs(best).max() or 1.0)


def _by_least_squares(scores: Floats, accuracies: Floats) -> Floats:
    """Ridge regression of the squared rank, of ties the mean; the ridge is 1 % of a row's share."""
    wanted = (mean_ranks(accuracies) / len(accuracies)) ** 2
    centred = scores - scores.mean(axis=0)
    ridge = RIDGE * len(scores) * np.eye(scores.shape[1])
    best: Floats = np.linalg.solve(
        centred.T @ centred + ridge, centred.T @ (wanted - wanted.mean())
    )
    return best


def _by_tpe(scores: Floats, judge: Callable[[Floats], float], trials: int, seed: int) -> Floats:
    """Bergstra et al., NeurIPS 2011, in the multivariate form of Falkner et al., ICML 2018."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise OptionError(
            "objective=tau needs optuna, which is not installed: pip install 'ipl-bench[ipl]'"
        ) from error
    names = [str(place) for place in range(scores.shape[1])]

    def value(trial: optuna.Trial) -> float:
        return judge(scores @ np.array([trial.suggest_float(name, -1, 1) for name in names]))

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.enqueue_trial(dict.fromkeys(names, 1.0))
        study.optimize(value, n_trials=trials)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return np.array([study.best_params[name] for name in names])


def _tau(accuracies: Floats) -> Callable[[Floats], float]:
    """Kendall's tau-b with `n` accuracies, of `n` unified scores; 0 where those are all equal."""
    truth = np.sign(accuracies[:, None] - accuracies[None]).astype(np.float32)
    different = float(np.abs(truth).sum())

    def tau(unified: Floats) -> float:
        signs = np.sign(unified[:, None] - unified[None]).astype(np.float32)
        pairs = float(np.abs(signs).sum())
        return float((signs * truth).sum()) / (pairs * different) ** 0.5 if pairs else 0.0

    return tau
