"""The built-in searchers, by name."""

from bench.base import SearcherFactory
from bench.searchers.evolution import Evolution
from bench.searchers.local_search import LocalSearch
from bench.searchers.random import Random
from bench.searchers.rank import Rank
from bench.searchers.regularised_evolution import RegularisedEvolution

SEARCHERS: dict[str, SearcherFactory] = {
    "random": Random,
    "local-search": LocalSearch,
    "evolution": Evolution,
    "regularised-evolution": RegularisedEvolution,
    "rank": Rank,
}
