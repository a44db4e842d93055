"""The built-in searchers, by name."""

from bench.base import SearcherFactory
from bench.searchers.bananas import Bananas
from bench.searchers.evolution import Evolution
from bench.searchers.gaussian_process import GaussianProcessSearch
from bench.searchers.local_search import LocalSearch
from bench.searchers.npenas import Npenas
from bench.searchers.optuna_gp import OptunaGp
from bench.searchers.optuna_tpe import OptunaTpe
from bench.searchers.predictor import PredictorSearch
from bench.searchers.random import Random
from bench.searchers.rank import Rank
from bench.searchers.rank_average import RankAverage
from bench.searchers.regularised_evolution import RegularisedEvolution

SEARCHERS: dict[str, SearcherFactory] = {
    "random": Random,
    "local-search": LocalSearch,
    "evolution": Evolution,
    "regularised-evolution": RegularisedEvolution,
    "rank": Rank,
    "rank-average": RankAverage,
    "gaussian-process": GaussianProcessSearch,
    "bananas": Bananas,
    "npenas": Npenas,
    "predictor": PredictorSearch,
    "optuna-tpe": OptunaTpe,
    "optuna-gp": OptunaGp,
}
