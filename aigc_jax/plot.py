"""Curves and values with intervals as SVG, to stand in a page or alone."""

import html
import math
from collections.abc import Callable, Mapping, Sequence

from aigc_jax.metrics.bootstrap import Interval

WIDTH, HEIGHT = 470, 260
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 16, 44  # margins
COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626")
GRID = "#8884"  # seen on light and on dark pages
PARTS = 5  # of an axis, about
MARKED = 20  # points of a curve up to which each is marked
APART = 3  # pixels between the intervals of neighbouring curves at one place
LINE = 14  # pixels between names
ROW, NAMES = 22, 170  # pixels: of a value's row, and for the names on its left

Series = Mapping[str, Sequence[tuple[float, Interval]]]  # name -> (x, value with its interval)s


def curves(series: Series, across: str, upright: str, *, log_x: bool = False, log_y: bool = False) -> str:
    """A line for each series, named beside its end where there are several. across, upright: what the axes show."""
    right = WIDTH - (RIGHT if len(series) == 1 else RIGHT + 7 * max(map(len, series)))
    columns, x_of = _axis([x for points in series.values() for x, _ in points], log_x, LEFT, right)
    bounds = [bound for points in series.values() for _, each in points for bound in each]
    rows, y_of = _axis(bounds, log_y, HEIGHT - BOTTOM, TOP)
    parts = []
    for value in rows:
        parts.append(
            f'<path d="M{LEFT} {y_of(value):.1f}H{right}" stroke="{GRID}"/>'
            f'<text x="{LEFT - 6}" y="{y_of(value) + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        )
    for value in columns:
        parts.append(
            f'<text x="{x_of(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{_number(value)}</text>'
        )
    middle = (LEFT + right) / 2
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
        for x, each in points if len(points) <= MARKED else ():
            at = x_of(x) + aside
            parts.append(
                f'<path d="M{at:.1f} {y_of(each.low):.1f}V{y_of(each.high):.1f}" stroke="{colour}"/>'
                f'<circle cx="{at:.1f}" cy="{y_of(each.value):.1f}" r="3" fill="{colour}"/>'
            )
        name_at = max(y_of(points[-1][1].value) + 4, name_at + LINE)
        if len(series) > 1:
            end = x_of(points[-1][0]) + 14
            parts.append(f'<text x="{end:.1f}" y="{name_at:.1f}" fill="{colour}">{html.escape(name)}</text>')
    return _svg(parts, HEIGHT)


def intervals(name: str, values: Mapping[str, Interval], real: float | None) -> str:
    """Values below each other, the lowest first, each with its interval; real: a line across them all."""
    bounds = [bound for each in values.values() for bound in each] + ([] if real is None else [real])
    ticks, x_of = _axis(bounds, False, NAMES, WIDTH - 2 * TOP)
    bottom = TOP + LINE + ROW * len(values)
    parts = [f'<text x="{NAMES}" y="{TOP}" font-weight="bold">{html.escape(name)}</text>']
    for tick in ticks:
        at = x_of(tick)
        parts.append(
            f'<path d="M{at:.1f} {TOP + 6}V{bottom}" stroke="{GRID}"/>'
            f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{_number(tick)}</text>'
        )
    if real is not None:
        at = x_of(real)
        anchor = "end" if at > WIDTH - NAMES // 2 else "middle"  # within the picture
        parts.append(
            f'<path d="M{at:.1f} {TOP + 6}V{bottom + 20}" stroke="currentColor" stroke-dasharray="3 3"/>'
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
        f'font-family="system-ui,sans-serif" font-size="12" fill="currentColor">{"".join(parts)}</svg>\n'
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _axis(
    values: Sequence[float], logarithmic: bool, start: float, stop: float
) -> tuple[list[float], Callable[[float], float]]:
    """(round numbers from the last below all values to the first above, value -> its pixel from start to stop)."""
    ticks = (_round_powers if logarithmic else _ticks)(min(values), max(values))
    scale = math.log if logarithmic else float
    low, span = scale(ticks[0]), (scale(ticks[-1]) - scale(ticks[0])) or 1.0
    return ticks, lambda value: start + (stop - start) * (scale(value) - low) / span


def _ticks(low: float, high: float) -> list[float]:
    """Evenly apart, by the smallest of 1, 2 and 5 times a power of ten that PARTS of reach over the span."""
    span = (high - low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / PARTS))
    step = next(times * power for times in (1, 2, 5, 10) if times * power * PARTS >= span)
    return [tick * step for tick in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _round_powers(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten; the powers alone where those would be many."""
    powers = [10.0**power for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 2)]
    for factors in ((1, 2, 5), (1,)):
        found = [factor * power for power in powers for factor in factors]
        first, last = max(each for each in found if each <= low), min(each for each in found if each >= high)
        ticks = [each for each in found if first <= each <= last]
        if len(ticks) <= 2 * PARTS:
            break
    return ticks
