"""Curves and values with intervals as SVG, to stand in a page or alone."""

import html
import math
from collections.abc import Mapping, Sequence

from aigc_jax.metrics.bootstrap import Interval

WIDTH, HEIGHT = 560, 340
LEFT, RIGHT, TOP, BOTTOM = 56, 110, 16, 44  # margins: the curves' names stand on the right
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626")
PARTS = 5  # of the upright axis, about
APART = 3  # pixels between the intervals of neighbouring curves at one place
LINE = 14  # pixels between names
ROW, NAMES = 22, 190  # pixels: of a value's row, and for the names on its left


def curves(series: Mapping[str, Sequence[tuple[float, Interval]]], across: str, upright: str) -> str:
    """Of (x > 0, value with interval), x on a logarithmic axis. across, upright: what the axes show."""
    places = sorted({x for points in series.values() for x, _ in points})
    bounds = [bound for points in series.values() for _, each in points for bound in each]
    ticks = _ticks(bounds)
    low, span = ticks[0], (ticks[-1] - ticks[0]) or 1.0
    decades = math.log(places[-1] / places[0]) or 1.0

    def x_of(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / places[0]) / decades

    def y_of(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / span

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for value in ticks:
        parts.append(
            f'<path d="M{LEFT} {y_of(value):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y_of(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        )
    for place in places:
        parts.append(f'<text x="{x_of(place):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{place:,.0f}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{html.escape(across)}</text>')
    parts.append(
        f'<text transform="translate(12 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{html.escape(upright)}</text>'
    )
    name_at = -math.inf
    by_height = sorted(enumerate(series.items()), key=lambda item: -item[1][1][-1][1].value)
    for number, (name, points) in by_height:
        colour, aside = COLOURS[number % len(COLOURS)], (number - len(series) // 2) * APART
        line = " ".join(f"{x_of(x) + aside:.1f},{y_of(each.value):.1f}" for x, each in points)
        parts.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{line}"/>')
        for x, each in points:
            at = x_of(x) + aside
            parts.append(
                f'<path d="M{at:.1f} {y_of(each.low):.1f}V{y_of(each.high):.1f}" stroke="{colour}"/>'
                f'<circle cx="{at:.1f}" cy="{y_of(each.value):.1f}" r="3" fill="{colour}"/>'
            )
        name_at = max(y_of(points[-1][1].value) + 4, name_at + LINE)
        end = x_of(points[-1][0]) + 14
        parts.append(f'<text x="{end:.1f}" y="{name_at:.1f}" fill="{colour}">{html.escape(name)}</text>')
    return _svg(parts, HEIGHT)


def intervals(name: str, values: Mapping[str, Interval], real: float | None) -> str:
    """Values below each other, the lowest first, each with its interval; real: a line across them all."""
    bounds = [bound for each in values.values() for bound in each] + ([] if real is None else [real])
    ticks = _ticks(bounds)
    low, span, bottom = ticks[0], (ticks[-1] - ticks[0]) or 1.0, TOP + LINE + ROW * len(values)

    def x_of(x: float) -> float:
        return NAMES + (WIDTH - NAMES - 2 * TOP) * (x - low) / span

    parts = [
        f'<rect width="{WIDTH}" height="{bottom + BOTTOM}" fill="#fff"/>',
        f'<text x="{NAMES}" y="{TOP}" font-weight="bold">{html.escape(name)}</text>',
    ]
    for tick in ticks:
        at = x_of(tick)
        parts.append(
            f'<path d="M{at:.1f} {TOP + 6}V{bottom}" stroke="#ddd"/>'
            f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:.3g}</text>'
        )
    if real is not None:
        at = x_of(real)
        anchor = "end" if at > WIDTH - NAMES // 2 else "middle"  # within the picture
        parts.append(
            f'<path d="M{at:.1f} {TOP + 6}V{bottom + 20}" stroke="#111" stroke-dasharray="3 3"/>'
            f'<text x="{at:.1f}" y="{bottom + 32}" text-anchor="{anchor}">real samples {real:.4g}</text>'
        )
    for number, (run, each) in enumerate(sorted(values.items(), key=lambda item: item[1].value)):
        y, colour = TOP + LINE + ROW * number + ROW // 2, COLOURS[0]
        parts.append(
            f'<text x="{NAMES - 10}" y="{y + 4}" text-anchor="end">{html.escape(run)}</text>'
            f'<path d="M{x_of(each.low):.1f} {y}H{x_of(each.high):.1f}" stroke="{colour}" stroke-width="2"/>'
            f'<circle cx="{x_of(each.value):.1f}" cy="{y}" r="3.5" fill="{colour}"/>'
        )
    return _svg(parts, bottom + BOTTOM)


def _svg(parts: Sequence[str], height: int) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="12">{"".join(parts)}</svg>\n'
    )


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers, evenly apart, from the last one below all values to the first one above."""
    step = _step((max(values) - min(values)) or 1.0)
    return [tick * step for tick in range(math.floor(min(values) / step), math.ceil(max(values) / step) + 1)]


def _step(span: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that PARTS of reach over the span."""
    power = 10.0 ** math.floor(math.log10(span / PARTS))
    return next(times * power for times in (1, 2, 5, 10) if times * power * PARTS >= span)
