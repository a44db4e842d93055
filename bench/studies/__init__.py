"""The studies."""

from bench.studies.paper import PAPER
from bench.studies.smoke import SMOKE
from bench.studies.study import Study

STUDIES: tuple[Study, ...] = (SMOKE, PAPER)
