"""The tables: every TableReader that comes with the bench."""

from __future__ import annotations

from bench.base import TableReader
from bench.tables.darts import TABLES as DARTS
from bench.tables.made import DIGITS
from bench.tables.nasbench101 import TABLES as NASBENCH101
from bench.tables.nasbench201 import TABLES as NASBENCH201
from bench.tables.transnasbench101 import TABLES as TRANSNASBENCH101

TABLES: tuple[TableReader, ...] = (DIGITS, *NASBENCH201, *NASBENCH101, *TRANSNASBENCH101, *DARTS)
