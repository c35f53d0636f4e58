"""Curves with intervals as SVG, to stand in a page or alone."""

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


def curves(series: Mapping[str, Sequence[tuple[float, Interval]]], across: str, upright: str) -> str:
    """Of (x > 0, value with interval), x on a logarithmic axis. across, upright: what the axes show."""
    places = sorted({x for points in series.values() for x, _ in points})
    bounds = [bound for points in series.values() for _, each in points for bound in each]
    step = _step((max(bounds) - min(bounds)) or 1.0)
    first, last = math.floor(min(bounds) / step), math.ceil(max(bounds) / step)
    low, span = first * step, (last - first) * step or 1.0
    decades = math.log(places[-1] / places[0]) or 1.0

    def x_of(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / places[0]) / decades

    def y_of(y: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / span

    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for tick in range(first, last + 1):
        value = tick * step
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
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'font-family="system-ui,sans-serif" font-size="12">{"".join(parts)}</svg>\n'
    )


def _step(span: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that PARTS of reach over the span."""
    power = 10.0 ** math.floor(math.log10(span / PARTS))
    return next(times * power for times in (1, 2, 5, 10) if times * power * PARTS >= span)
