"""Figures as a page embeds them: small enough together, and sharp on a dense screen."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from bench.reports.page import Picture

LIMIT = 3_000_000
"""The most bytes that all figures of a page may take, as they stand in the page."""
_WIDTHS = (1380, 1035, 690)
"""Pixels of a figure as wide as the page: twice, one and a half times, and once what is shown."""
_SOURCE = 2070
"""Pixels of a figure as wide as the page, as it is written."""
_QUALITY = 78


@dataclass(frozen=True)
class Embedded:
    """A figure with its pixels in its address, and its size in pixels of the page."""

    picture: Picture
    url: str
    width: int
    height: int


def embed(pictures: Sequence[Picture], images: Mapping[str, bytes]) -> list[Embedded]:
    """Every figure as WebP, all on one scale: the largest at which they stay below the limit.

    Args:
        pictures: The figures to embed.
        images: Files by name, the figures' PNG among them.
    """
    embedded: list[Embedded] = []
    for width in _WIDTHS:
        embedded = [_embed(each, images[each.png], width) for each in pictures]
        if sum(len(each.url) for each in embedded) <= LIMIT:
            break
    return embedded


def _embed(picture: Picture, png: bytes, width: int) -> Embedded:
    scale = width / _SOURCE
    with Image.open(io.BytesIO(png)) as image:
        shown = image.convert("RGB")
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale)))
    buffer = io.BytesIO()
    shown.resize(size, Image.Resampling.LANCZOS).save(
        buffer, "webp", quality=_QUALITY, method=2, exact=True
    )
    url = f"data:image/webp;base64,{b64encode(buffer.getvalue()).decode()}"
    points = _WIDTHS[-1] / _SOURCE
    return Embedded(picture, url, round(shown.width * points), round(shown.height * points))
