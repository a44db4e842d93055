"""The studies."""

from bench.studies.ipl_paper import IPL_PAPER
from bench.studies.ipl_race import IPL_RACE
from bench.studies.paper import PAPER
from bench.studies.regression import REGRESSION
from bench.studies.smoke import SMOKE
from bench.studies.study import Study

STUDIES: tuple[Study, ...] = (SMOKE, PAPER, IPL_RACE, IPL_PAPER, REGRESSION)
