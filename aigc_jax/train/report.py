"""One HTML file that shows a run: curves, the newest samples, measures and configuration."""

import base64
import html
import math
from collections import defaultdict
from pathlib import Path

from aigc_jax.train.journal import read
from aigc_jax.train.workdir import Workdir, write_whole

WIDTH, HEIGHT, PAD = 420, 160, 8
SAMPLES_SHOWN = 4

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}
figcaption{font-size:13px;color:#555} svg{background:#f6f7f9;border-radius:4px}
img{max-width:100%;image-rendering:pixelated;border:1px solid #ddd} pre{overflow:auto;background:#f6f7f9;padding:1rem}
table{border-collapse:collapse} td,th{padding:.2rem 1rem .2rem 0;text-align:left}
"""


def write(workdir: Workdir) -> Path:
    """Writes report.html from what the run left in its folder, and returns its path."""
    records = read(workdir.metrics)
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for record in records:
        for name, value in record.items():
            if name not in ("step", "group") and isinstance(value, (int, float)):
                curves[f"{record['group']}/{name}"].append((record["step"], value))
    measures = {name: points[-1] for name, points in curves.items() if not name.startswith("train/")}
    newest = sorted(workdir.samples.iterdir(), key=lambda p: p.stat().st_mtime)[-SAMPLES_SHOWN:][::-1]
    body = [
        f"<h1>{html.escape(workdir.folder.name)}</h1>",
        "<h2>Samples</h2>",
        *[_sample(path) for path in newest],
        "<h2>Measures</h2><table><tr><th>measure<th>value<th>step</tr>",
        *[f"<tr><td>{html.escape(n)}<td>{v:.5g}<td>{s}</tr>" for n, (s, v) in sorted(measures.items())],
        "</table><h2>Curves</h2>",
        *[_curve(name, points) for name, points in sorted(curves.items()) if len(points) > 1],
        f"<h2>Configuration</h2><pre>{html.escape(workdir.config.read_text('utf-8'))}</pre>",
    ]
    page = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(workdir.folder.name)}</title>'
    write_whole(workdir.report, f"{page}<style>{STYLE}</style>{''.join(body)}</html>\n")
    return workdir.report


def _sample(path: Path) -> str:
    caption = f"<figcaption>{html.escape(path.name)}</figcaption>"
    if path.suffix == ".png":
        data = base64.b64encode(path.read_bytes()).decode()
        return f'<figure><img alt="{html.escape(path.name)}" src="data:image/png;base64,{data}">{caption}</figure>'
    return f"<figure><pre>{html.escape(path.read_text('utf-8'))}</pre>{caption}</figure>"


def _curve(name: str, points: list[tuple[int, float]]) -> str:
    """A line plot of (step, value) as inline SVG, on a logarithmic axis where values span decades."""
    steps, values = zip(*points, strict=True)
    logarithmic = min(values) > 0 and max(values) / min(values) > 100
    heights = [math.log(v) for v in values] if logarithmic else list(values)
    low, high = min(heights), max(heights)
    x0, x1 = steps[0], steps[-1]
    line = " ".join(
        f"{PAD + (WIDTH - 2 * PAD) * (s - x0) / max(x1 - x0, 1):.1f},"
        f"{HEIGHT - PAD - (HEIGHT - 2 * PAD) * (h - low) / ((high - low) or 1):.1f}"
        for s, h in zip(steps, heights, strict=True)
    )
    caption = f"{name}: {values[0]:.4g} → {values[-1]:.4g}, steps {x0}–{x1}{', log' if logarithmic else ''}"
    return (
        f'<figure><svg width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{html.escape(caption)}">'
        f'<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{line}"/></svg>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
