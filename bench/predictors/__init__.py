"""The built-in predictors, by name; each is a `bench.base.Predictor` with options of its own."""

from collections.abc import Callable

from bench.base import Prediction
from bench.predictors.forest import random_forest

PREDICTORS: dict[str, Callable[..., Prediction]] = {"forest": random_forest}
