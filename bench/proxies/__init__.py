"""The built-in proxies."""

from bench.base import Proxy
from bench.proxies.az_nas import az_expressivity, az_nas, az_progressivity, az_trainability
from bench.proxies.computed import Computed, PopulationRanking
from bench.proxies.epe_nas import epe_nas
from bench.proxies.epsilon import epsilon
from bench.proxies.epsilon_defined import epsilon_defined
from bench.proxies.fisher import fisher
from bench.proxies.flops import flops
from bench.proxies.grad_norm import grad_norm
from bench.proxies.gradsign import gradsign
from bench.proxies.grasp import grasp
from bench.proxies.jacov import jacov
from bench.proxies.l2_norm import l2_norm
from bench.proxies.linear_regions import linear_regions
from bench.proxies.logsynflow import logsynflow
from bench.proxies.meco import meco
from bench.proxies.naswot import naswot
from bench.proxies.ntk import ntk
from bench.proxies.nwot import nwot
from bench.proxies.parametric import parametric
from bench.proxies.params import params
from bench.proxies.plain import plain
from bench.proxies.random import random
from bench.proxies.recorded import RECORDED
from bench.proxies.snip import snip
from bench.proxies.swap import swap
from bench.proxies.swap_reg import swap_reg
from bench.proxies.synflow import synflow
from bench.proxies.synflow_norm import synflow_norm
from bench.proxies.vkdnw import vkdnw
from bench.proxies.zen import zen
from bench.proxies.zico import zico

COMPUTED: tuple[Computed, ...] = (
    epe_nas,
    fisher,
    flops,
    grad_norm,
    grasp,
    jacov,
    l2_norm,
    nwot,
    params,
    plain,
    snip,
    synflow,
    zen,
    az_expressivity,
    az_progressivity,
    az_trainability,
    epsilon,
    epsilon_defined,
    gradsign,
    linear_regions,
    logsynflow,
    meco,
    naswot,
    ntk,
    swap,
    swap_reg,
    synflow_norm,
    vkdnw,
    zico,
)
"""Computed live from passes; the first 13 are those of NAS-Bench-Suite-Zero."""

RANKINGS: tuple[PopulationRanking, ...] = (az_nas,)
"""They rank networks among each other, by several proxies."""

PROXIES: tuple[Proxy, ...] = (*COMPUTED, *RECORDED, *RANKINGS, parametric, random)
