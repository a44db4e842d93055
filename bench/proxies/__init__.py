"""The built-in proxies."""

from bench.base import Proxy
from bench.proxies.parametric import parametric
from bench.proxies.random import random
from bench.proxies.recorded import RECORDED

PROXIES: tuple[Proxy, ...] = (*RECORDED, parametric, random)
