"""Figures as a page embeds them: small enough together, and sharp on a dense screen."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from bench.reports.page import Picture

LIMIT = 2_800_000
"""The most bytes that all figures of a page may take, as they stand in the page."""
SHOWN = 690
"""Pixels of the page that a figure as wide as the page takes."""
_STEPS = ((1380, 78), (1035, 78), (1035, 60), (SHOWN, 60), (SHOWN, 35))
"""The width that it is embedded with, and the quality of WebP; the last is what it comes to."""
_SOURCE = 2070
"""Pixels of a figure as wide as the page, as it is written."""


@dataclass(frozen=True)
class Embedded:
    """A figure with its pixels in its address, and its size in pixels of the page."""

    picture: Picture
    url: str
    width: int
    height: int


def embed(pictures: Sequence[Picture], images: Mapping[str, bytes]) -> list[Embedded]:
    """Every figure as WebP, all alike: the largest and best at which they stay below the limit.

    Args:
        pictures: The figures to embed.
        images: Files by name, the figures' PNG among them.
    """
    embedded: list[Embedded] = []
    for width, quality in _STEPS:
        embedded = [_embed(each, images[each.png], width, quality) for each in pictures]
        if sum(len(each.url) for each in embedded) <= LIMIT:
            break
    return embedded


def _embed(picture: Picture, png: bytes, width: int, quality: int) -> Embedded:
    scale = width / _SOURCE
    with Image.open(io.BytesIO(png)) as image:
        shown = image.convert("RGB")
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    buffer = io.BytesIO()
    shown.resize(size, Image.Resampling.LANCZOS).save(
        buffer, "webp", quality=quality, method=2, exact=True
    )
    url = f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
    points = SHOWN / _SOURCE
    return Embedded(picture, url, round(shown.width * points), round(shown.height * points))
