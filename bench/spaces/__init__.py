"""The search spaces, one file each."""

from bench.base import Space
from bench.spaces.darts import DARTS
from bench.spaces.nasbench101 import NASBENCH101
from bench.spaces.nasbench201 import NASBENCH201
from bench.spaces.transnasbench101_macro import TRANSNASBENCH101_MACRO
from bench.spaces.transnasbench101_micro import TRANSNASBENCH101_MICRO

SPACES: tuple[Space, ...] = (
    NASBENCH201,
    NASBENCH101,
    DARTS,
    TRANSNASBENCH101_MICRO,
    TRANSNASBENCH101_MACRO,
)
