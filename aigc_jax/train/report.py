"""A self-contained HTML file that shows one run, or several side by side."""

import base64
import html
import json
import mimetypes
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from aigc_jax import plot
from aigc_jax.config import leaves
from aigc_jax.metrics.bootstrap import Interval
from aigc_jax.metrics.meanings import meaning
from aigc_jax.metrics.record import Protocol, Record, latest, read_records, same_protocol
from aigc_jax.train import clock
from aigc_jax.train.journal import diagnosed, duration, read_metrics
from aigc_jax.train.workdir import DAMAGED, Workdir, write_whole

TAGS = {  # kind of a file -> how a page has it; other files of samples are for programs
    "image": '<img alt="{said}" src="data:{mime};base64,{data}">',
    "audio": '<audio controls title="{said}" src="data:{mime};base64,{data}"></audio>',
    "video": '<video controls loop muted title="{said}" src="data:{mime};base64,{data}"></video>',
}
SAMPLES_SHOWN = 4
# Settings that decide the keys and conditions of samples.
KEYS = ("seed", "sample.seed", "sample.given", "sample.n")

STYLE = """
:root{color-scheme:light dark;--line:#8884;--faint:#8881}
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem}
h1,h2{line-height:1.2} h2{margin-top:2.5rem;border-top:1px solid var(--line);padding-top:1rem}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top;max-width:100%}
figcaption{font-size:13px;opacity:.75} svg{background:var(--faint);border-radius:4px;max-width:100%}
img{max-width:100%;image-rendering:pixelated;border:1px solid var(--line)}
pre{overflow:auto;background:var(--faint);padding:1rem;border-radius:4px;white-space:pre-wrap}
table{border-collapse:collapse;font-variant-numeric:tabular-nums} td,th{padding:.25rem 1.25rem .25rem 0;text-align:left}
table{display:block;overflow-x:auto} td small{white-space:nowrap}
tr+tr{border-top:1px solid var(--line)} small{opacity:.75}
.beside{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));align-items:start}
.beside pre{max-height:30rem;margin-top:0}
.wrong{border-left:4px solid #dc2626;padding-left:.75rem}
.said{font-size:14px;padding-left:1.25rem}
details{font-size:13px;opacity:.75}
"""


def write(workdir: Workdir) -> Path:
    """Writes report.html from the files in the run's folder, and returns its path."""
    write_whole(workdir.report, page([workdir]))
    return workdir.report


def page(workdirs: Sequence[Workdir]) -> str:
    """The page of one run, or of several. Raises UserError where figures of one name were not measured alike."""
    names = [workdir.name for workdir in workdirs]
    title = html.escape(" · ".join(names))
    sections = {
        "": _about(workdirs),
        "Samples, and real examples": _samples(workdirs),
        "Nearest training examples": _nearest(workdirs),
        "Between samples": _walks(workdirs),
        "Audit": _audits(workdirs),
        "Figures": _figures(workdirs),
        "Measures": _measures(workdirs),
        "Curves": _curves(workdirs),
        "Cost": _cost(workdirs),
        "Configuration": _configuration(workdirs),
    }
    body = "".join(f"<h2>{name}</h2>{content}" if name else content for name, content in sections.items() if content)
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return f'<!doctype html><html lang="en">{head}<style>{STYLE}</style><h1>{title}</h1>{body}</html>\n'


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Of cells in HTML."""
    lines = [f"<tr>{''.join(f'<td>{cell}' for cell in row)}</tr>" for row in rows]
    return f"<table><tr>{''.join(f'<th>{cell}' for cell in head)}</tr>{''.join(lines)}</table>" if lines else ""


# What the run is, and whether it went well


def _about(workdirs: Sequence[Workdir]) -> str:
    """The origin of each run, and its known troubles."""
    parts = []
    for workdir in workdirs:
        name = f"<b>{html.escape(workdir.name)}</b>: " if len(workdirs) > 1 else ""
        parts += [f"<p>{name}{html.escape(line)}" for line in (_origin(workdir), *_said_of_data(workdir)) if line]
        parts += [f'<p class="wrong">{name}{html.escape(line)}' for line in troubles(workdir)]
    return "".join(parts)


def _origin(workdir: Workdir) -> str:
    about = _json(workdir.about)
    if not about:
        return ""
    examples = ", ".join(f"{split} {count:,}" for split, count in about["examples"].items())
    commit = f" ({about['commit'][:12]}{'-dirty' * about['commit'].endswith('-dirty')})" if about["commit"] else ""
    return (
        f"{about['data']}: {examples}; {about['parameters']:,} parameters; aigc_jax {about['aigc_jax']}{commit}, "
        f"jax {about['jax']}, Python {about['Python']}; {about['device']}."
    )


def _said_of_data(workdir: Workdir) -> list[str]:
    return _json(workdir.about).get("notes", [])


def troubles(workdir: Workdir) -> list[str]:
    """What went wrong in a run, a sentence each."""
    found = []
    train = [record for record in read_metrics(workdir.metrics) if record["group"] == "train"]
    if train and (empty := [name for name, value in train[-1].items() if value is None]):
        found.append(f"At step {train[-1]['step']:,} this is not finite: {', '.join(empty)}.")
    if skipped := sum(record.get("skipped") or 0 for record in train):
        found.append(f"{skipped:,.0f} updates were skipped, since their gradients were not finite or far too large.")
    if left := _json(workdir.left_out):
        found.append(f"Training diverged and went back {len(left)} times, past the batches that it had read then.")
    found += [f"Step {step:,}: {line}" for line, step in diagnosed(workdir.metrics).items()]
    if _json(_of(workdir.nearest, ".json")).get("alike"):
        found.append("All samples are the same.")
    return found


def _json(path: Path) -> Any:
    """The JSON of a file of the run; {} where it is missing or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except DAMAGED:
        return {}


def _of(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


# Samples, and what there is beside them


def _samples(workdirs: Sequence[Workdir]) -> str:
    """The newest samples beside real examples, and earlier ones; of several runs the newest, where keys are equal."""
    if len(workdirs) == 1:
        shown = [(workdirs[0], path) for path in _newest(workdirs[0].samples, SAMPLES_SHOWN)]
    elif differ := _keys_differ(workdirs):
        said = f"Samples are not shown, since they were not drawn alike ({', '.join(differ)} differ)."
        return f"<p>{html.escape(said)}</p>{_real(workdirs)}"
    else:
        shown = [(workdir, path) for workdir in workdirs for path in _newest(workdir.samples, 1, "step_*")]
    figures = [_sample(path, f"{workdir.name}/{path.name}") for workdir, path in shown]
    figures.insert(len(workdirs), _real(workdirs))
    return f'<div class="beside">{"".join(figures)}</div>' if any(figures) else ""


def _keys_differ(workdirs: Sequence[Workdir]) -> list[str]:
    """The settings that decide keys and conditions of samples, where they differ between runs."""
    settings = [leaves(workdir.recorded()[0]) for workdir in workdirs]
    return [key for key in KEYS if len({json.dumps(each.get(key)) for each in settings}) > 1]


def _real(workdirs: Sequence[Workdir]) -> str:
    """Training examples. Runs on the same data have the same ones."""
    found: dict[str, str] = {}
    for workdir in workdirs:
        for path in _newest(workdir.folder, 1, f"{workdir.real.name}.*"):
            data = _json(workdir.about).get("data", "")
            found.setdefault(_shown(path, data), f"training examples of {data}, drawn at random")
    return "".join(_figure(shown, caption) for shown, caption in found.items())


def _nearest(workdirs: Sequence[Workdir]) -> str:
    return "".join(
        _sample(path, f"{workdir.name}, step {found['step']:,}. {found['said']}")
        for workdir in workdirs
        if (found := _json(_of(workdir.nearest, ".json")))
        for path in _newest(workdir.folder, 1, f"{workdir.nearest.name}.*")
    )


def _walks(workdirs: Sequence[Workdir]) -> str:
    return "".join(
        _sample(path, f"{workdir.name}/{path.name}: from one random latent to another, a row each")
        for workdir in workdirs
        for path in _newest(workdir.walks, 1)
    )


def _audits(workdirs: Sequence[Workdir]) -> str:
    return "".join(
        _sample(path, f"{workdir.name}: the most suspicious samples, each beside its nearest training examples")
        for workdir in workdirs
        for path in _newest(workdir.audit, 1)
    )


def _newest(folder: Path, count: int, pattern: str = "*") -> list[Path]:
    files = (path for path in folder.glob(pattern) if _kind(path) in (*TAGS, "text")) if folder.is_dir() else ()
    return sorted(files, key=lambda path: path.stat().st_mtime)[-count:][::-1]


def _sample(path: Path, caption: str) -> str:
    return _figure(_shown(path, caption), caption)


def _shown(path: Path, said: str) -> str:
    """A picture, a sound, a video or a text. said: to those who cannot see it."""
    if _kind(path) == "text":
        return f"<pre>{html.escape(path.read_text('utf-8'))}</pre>"
    data = base64.b64encode(path.read_bytes()).decode()
    return TAGS[_kind(path)].format(said=html.escape(said), mime=mimetypes.guess_type(path.name)[0], data=data)


def _kind(path: Path) -> str:
    """What its name says that a file holds: "image", "text", …; pages of their own, and arrays, are no kind."""
    mime = mimetypes.guess_type(path.name)[0] or ""
    return mime.partition("/")[0] if mime == "text/plain" or not mime.startswith("text/") else ""


def _figure(shown: str, caption: str) -> str:
    return f"<figure>{shown}<figcaption>{html.escape(caption)}</figcaption></figure>"


# Figures with their protocols


def _figures(workdirs: Sequence[Workdir]) -> str:
    found: dict[str, list[Record]] = defaultdict(list)
    for workdir in workdirs:
        for record in _records(workdir):
            found[record.name].append(record)
    rows, protocols = [], {}
    for name, records in sorted(found.items()):
        protocols[name] = same_protocol(records)
        for record in records:
            real = "" if record.floor is None else f"{record.floor:.4g}"
            interval = f"{record.low:.4g} … {record.high:.4g}"
            rows.append(map(html.escape, (name, record.run, f"{record.value:.4g}", interval, real, str(record.step))))
    table = _table(("measure", "run", "value", "95 % interval", "real samples reach", "step"), rows)
    items = "".join(f"<li>{html.escape(note)}" for note in notes(protocols))
    how = f"<details><summary>How they were measured</summary><ul>{items}</ul></details>"
    return f"{table}{_meanings(protocols)}{how}" if rows else ""


def _meanings(measures: Iterable[str]) -> str:
    """A sentence for each measure that has one. measures: also with the names of evaluations before them."""
    own = dict.fromkeys(name.rpartition("/")[2] for name in measures)
    items = [f"<li><b>{html.escape(name)}</b>, {html.escape(text)}." for name in own if (text := meaning(name))]
    return f'<ul class="said">{"".join(items)}</ul>' if items else ""


def _records(workdir: Workdir) -> list[Record]:
    return latest(read_records(workdir.records)) if workdir.records.exists() else []


def notes(protocols: Mapping[str, Protocol]) -> list[str]:
    """The protocols of measures in words, one line for measures of one protocol. protocols: by measure."""
    measures: dict[str, list[str]] = defaultdict(list)
    for measure, protocol in protocols.items():
        measures[_told(protocol)].append(measure)
    return [f"{', '.join(names)}: {text}" for text, names in measures.items()]


def _told(protocol: Protocol) -> str:
    """A protocol in words."""
    made = (
        f"{protocol.samples:,} samples against {protocol.references:,}"
        if protocol.references
        else f"{protocol.samples:,}"
    )
    parts = [f"{made} of {protocol.data}, split {protocol.split} (data {protocol.data_sha256[:12]})"]
    if protocol.extractor:
        parts.append(f"extractor {protocol.extractor} (weights {protocol.extractor_sha256[:12]}), {protocol.pixels}")
    parts += [f"{key} {value}" for key, value in sorted(protocol.settings.items())]
    return "; ".join(parts)


# Measures and curves


def _recorded(workdir: Workdir) -> dict[str, list[tuple[int, float]]]:
    """group/name -> its (step, value)s."""
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for record in read_metrics(workdir.metrics):
        for name, value in record.items():
            if name not in ("step", "group") and isinstance(value, (int, float)):
                curves[f"{record['group']}/{name}"].append((record["step"], value))
    return curves


def _measures(workdirs: Sequence[Workdir]) -> str:
    """The last values over the evaluation data that have no record."""
    rows = []
    for workdir in workdirs:
        figures = {record.name for record in _records(workdir)}
        for name, points in _recorded(workdir).items():
            group, _, measure = name.partition("/")
            if group != "train" and measure not in figures:
                step, value = points[-1]
                rows.append((html.escape(name), html.escape(workdir.name), f"{value:.5g}", str(step)))
    names = sorted({row[0].rpartition("/")[2] for row in rows})
    return _table(("measure", "run", "value", "step"), sorted(rows)) + _meanings(names)


def _curves(workdirs: Sequence[Workdir]) -> str:
    lines: dict[str, dict[str, list[tuple[int, float]]]] = defaultdict(dict)
    for workdir in workdirs:
        for name, points in _recorded(workdir).items():
            if len(points) > 1:
                lines[name][workdir.name] = points
    return "".join(_curve(name, runs) for name, runs in sorted(lines.items()))


def _curve(name: str, runs: Mapping[str, Sequence[tuple[int, float]]]) -> str:
    """A line for each run, on a logarithmic axis where values span decades."""
    steps = [step for points in runs.values() for step, _ in points]
    values = [value for points in runs.values() for _, value in points]
    logarithmic = min(values) > 0 and max(values) / min(values) > 100
    series = {run: [(step, Interval(value, value, value)) for step, value in points] for run, points in runs.items()}
    ends = {run: f"{points[0][1]:.4g} → {points[-1][1]:.4g}" for run, points in runs.items()}
    legend = ", ".join(f"{run} {each}" if len(runs) > 1 else each for run, each in ends.items())
    said = html.escape(f"{name}: {legend}; steps {min(steps):,}–{max(steps):,}")
    picture = plot.curves(series, "step", name.rpartition("/")[2], log_y=logarithmic)
    return f"<figure>{picture}<figcaption>{said}</figcaption></figure>"


# Cost and configuration


def _cost(workdirs: Sequence[Workdir]) -> str:
    rows = []
    for workdir in workdirs:
        spent = clock.spent(workdir.time)
        if spent.starts:
            parts = ", ".join(f"{kind} {duration(value)}" for kind, value in spent.seconds.items() if value >= 1)
            rows.append((workdir.name, duration(sum(spent.seconds.values())), str(spent.starts), parts))
    return _table(("run", "time", "starts", "of which"), (map(html.escape, row) for row in rows))


def _configuration(workdirs: Sequence[Workdir]) -> str:
    """Of one run, all of it; of several, where they differ."""
    texts = [workdir.config.read_text("utf-8") for workdir in workdirs]
    if len(texts) == 1:
        return f"<pre>{html.escape(texts[0])}</pre>"
    settings = [leaves(json.loads(text)) for text in texts]
    keys = sorted({key for each in settings for key in each})
    rows = [
        [key, *(str(each.get(key, "–")) for each in settings)]
        for key in keys
        if len({json.dumps(each.get(key)) for each in settings}) > 1
    ]
    names = [html.escape(workdir.name) for workdir in workdirs]
    return _table(("differs", *names), (map(html.escape, row) for row in rows)) or "<p>The same.</p>"
