"""Draws a dashboard of Grafana's as a picture, from the series that Prometheus answers."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

from PIL import Image, ImageDraw, ImageFont

COLUMN, ROW, MARGIN = 64, 30, 8  # pixels of a cell of Grafana's grid, and around a panel
INK, GREY, PAPER = (30, 33, 38), (150, 155, 162), (250, 250, 250)
COLOURS = (
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (214, 39, 40),
    (148, 103, 189),
    (23, 190, 207),
)
LEGENDS = 6
Series = list[dict[str, Any]]
Ask = Callable[[str], Awaitable[Series]]


async def drawn(board: dict[str, Any], ask: Ask) -> tuple[Image.Image, list[str]]:
    """The dashboard as a picture, and the titles of panels without any value.

    `ask` returns the series of a PromQL expression, as Prometheus answers a range query.
    """
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    picture = Image.new("RGB", (24 * COLUMN, height * ROW + 40), (226, 228, 232))
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, 10), board["title"], INK, ImageFont.load_default(22))
    empty = []
    for panel in board["panels"]:
        found = [
            (_legend(target["legendFormat"], one["metric"]), _values(one))
            for target in panel["targets"]
            for one in await ask(target["expr"])
        ]
        found = [(legend, values) for legend, values in found if values]
        if not found:
            empty.append(panel["title"])
        _draw_panel(draw, panel, found)
    return picture, empty


def _values(series: dict[str, Any]) -> list[tuple[float, float]]:
    values = [(float(at), float(value)) for at, value in series["values"]]
    return [(at, value) for at, value in values if math.isfinite(value)]


def _legend(form: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{\s*(\w+)\s*}}", lambda name: labels.get(name[1], ""), form).strip()


def _draw_panel(
    draw: ImageDraw.ImageDraw,
    panel: dict[str, Any],
    found: list[tuple[str, list[tuple[float, float]]]],
) -> None:
    place = panel["gridPos"]
    left, top = place["x"] * COLUMN + MARGIN, place["y"] * ROW + 40 + MARGIN
    right, bottom = left + place["w"] * COLUMN - 2 * MARGIN, top + place["h"] * ROW - 2 * MARGIN
    draw.rectangle((left, top, right, bottom), PAPER, GREY)
    draw.text((left + 8, top + 6), panel["title"], INK, ImageFont.load_default(14))
    inside = (left + 50, top + 30, right - 12, bottom - 14 * min(len(found), LEGENDS) - 10)
    if panel["type"] == "stat":
        for number, (legend, values) in enumerate(found):
            at = (left + 12 + number % 3 * (right - left) / 3, top + 30 + number // 3 * 34)
            draw.text(at, f"{values[-1][1]:.4g}", COLOURS[0], ImageFont.load_default(18))
            draw.text((at[0], at[1] + 20), legend[:40], GREY, ImageFont.load_default(10))
    elif found:
        _draw_lines(draw, inside, found)
    else:
        draw.text((left + 50, top + 60), "no data", GREY, ImageFont.load_default(16))


def _draw_lines(
    draw: ImageDraw.ImageDraw,
    inside: tuple[float, float, float, float],
    found: list[tuple[str, list[tuple[float, float]]]],
) -> None:
    left, top, right, bottom = inside
    first = min(values[0][0] for _, values in found)
    last = max(max(values[-1][0] for _, values in found), first + 1)
    highest = max(max(value for _, value in values) for _, values in found) or 1.0
    draw.line((left, top, left, bottom, right, bottom), GREY)
    draw.text((left - 44, top - 4), f"{highest:.3g}", GREY, ImageFont.load_default(11))
    for number, (legend, values) in enumerate(found):
        colour = COLOURS[number % len(COLOURS)]
        points = [
            (
                left + (at - first) / (last - first) * (right - left),
                bottom - max(0.0, value) / highest * (bottom - top),
            )
            for at, value in values
        ]
        draw.line(points, colour, 2)
        if number < LEGENDS:
            shown = f"{legend[:70]}  {values[-1][1]:.3g}"
            draw.text((left, bottom + 4 + 14 * number), shown, colour, ImageFont.load_default(11))
