"""The section on scale, rendered from benchmarks/results/scale.json."""

from collections.abc import Mapping
from typing import Any

from benchmarks.figures import table

CHIPS = "64"  # of the predictions that the page shows


def page(results: Mapping[str, Any]) -> str:
    """Markdown of whichever parts the results have."""
    parts = {"state": _state, "collectives": _collectives, "roofline": _roofline}
    text = [
        "## Scale",
        f"By simulation and on paper: `{results['command']}`, jax {results['jax']}, on {results['device']}.",
        *(render(results[name]) for name, render in parts.items() if name in results),
    ]
    return "\n\n".join(text) + "\n"


def _state(rows: Mapping[str, Any]) -> str:
    strict, points = (sum(row[key] for row in rows.values()) for key in ("within_relative", "within_points"))
    lines = []
    for name, row in rows.items():
        total = sum(row["total"].values())
        shares = [sum(held.values()) / total for held in row["meshes"].values()]
        copied = row["copied"]
        lines.append(
            [name, _bytes(total), *(f"{share:.2%}" for share in shares), f"{8 * row['fsdp_share']:.3f}",
             "yes" if row["within_relative"] else "**no**", "yes" if row["within_points"] else "**no**",
             f"{copied['leaves']}, {copied['bytes'] / row['total']['params']:.2%}"]
        )  # fmt: skip
    heads = ["configuration", "state", *next(iter(rows.values()))["meshes"], "fsdp / ideal", "≤ 12.75 %", "≤ 14.5 %"]
    return "\n\n".join([
        "### State on a device",
        "Weights, moments and averages, and the share of them that each of eight devices holds (ideal: 12.5 %). The "
        f"goal, an eighth and 2 %: read as 12.5 % × 1.02 it is met by {strict} of {len(rows)} configurations, "
        f"read as 12.5 % + 2 % by {points}. "
        "The rest misses it by leaves below 1,024 elements, which are copied on purpose, and which are a larger part "
        "of a smaller network. `data` splits no state, and `tensor` only that of transformers, whose embeddings and "
        "positions it copies. Within a step under `fsdp`, a device holds the weights whole besides its shards.",
        table([*heads, "leaves copied, share of weights"], lines),
    ])  # fmt: skip


def _collectives(cases: Mapping[str, Any]) -> str:
    lines = []
    for name, case in cases.items():
        for axis, found in case["meshes"].items():
            kinds = ", ".join(
                f"{kind} {int(x['count'])}× {_bytes(x['sent'])}" for kind, x in sorted(found["kinds"].items())
            )
            ratio = f"{found['ratio']:.3f}" if found["ratio"] else "–"
            lines.append(
                [name, axis, _bytes(found["params"]), _bytes(found["sent"]), _bytes(found["least"]), ratio, kinds]
            )
    changed = "; ".join(
        f"{name}: " + (", ".join(f"{key}={value}" for key, value in case["changes"].items()) or "as it is")
        for name, case in cases.items()
    )
    return "\n\n".join([
        "### Collectives of a step",
        "Bytes that a device sends a step on eight virtual CPU devices, read from the compiled program and counted as "
        "rings, against the least: data 2 (n-1)/n P, fsdp 3 (n-1)/n P, tensor 4 L all-reduces of the stream. "
        "XLA for CPUs has no pass that makes a reduce-scatter of an all-reduce and a slice; those for TPUs and GPUs "
        "have one.",
        f"Configurations: {changed}.",
        "What explains the ratios. Under `data`, weights that are used twice have two gradients, and the CPU's "
        "compiler reduces each before it adds them: a tied embedding, and a discriminator on real and on fake images. "
        "Under `fsdp`, a step gathers its weights once and keeps them whole until it ends, and gradients are reduced "
        "whole: 1 + 2 rounds in place of 2 + 1, the same bytes; with a reduce-scatter it would be 2. A DCGAN's step "
        "has the twofold gradients there too. Under `tensor`, attention is split by whole heads: a network whose heads "
        "the axis does not divide keeps the kernel of `qkv` whole. Networks without tensor rules keep their weights "
        "whole; their least is zero, and all eight devices do the same work.",
        table(["configuration", "mesh", "weights", "sent", "least", "ratio", "of which"], lines),
    ])  # fmt: skip


def _roofline(found: Mapping[str, Any]) -> str:
    configs = found["configs"]
    counts = [
        [name, row["batch"], f"{row['flops'] / 1e9:.4g}", f"{row['xla_flops'] / row['flops']:.2f}",
         f"{row['formula_flops'] / row['flops']:.2f}" if "formula_flops" in row else "–",
         _bytes(row["example_bytes"]), _bytes(row["weight_bytes"]), _bytes(row["params"])]
        for name, row in configs.items()
    ]  # fmt: skip
    columns = [(kind, axis) for kind in found["hardware"] for axis in ("data", "fsdp")]
    bounds = [
        [name, *(f"{row['predicted'][kind][axis][CHIPS]['bound_below']:,.0f}" for kind, axis in columns)]
        for name, row in configs.items()
    ]
    sources = "; ".join(chip["source"] for chip in found["hardware"].values())
    return "\n\n".join([
        "### Roofline: predicted, not measured",
        "Compute, HBM and communication as if they overlapped fully, every link in use and no latency, hence a lower "
        "bound; where microseconds come out, launches and hops will take longer than all that is counted. FLOPs are "
        "those of contractions in the step's jaxpr; beside them the ratio to them of XLA's analysis of the program "
        "before optimization, which leaves out products with padding and counts a loop once, and of 6 N + 12 L width "
        "length a token for transformers. fsdp gathers weights twice here. float32, as the configurations "
        f"are. {sources}.",
        table(["configuration", "batch", "GFLOPs an example", "XLA / counted", "6N formula / counted",
                "activation bytes an example", "weight bytes a pass", "gradient"], counts),
        f"Predicted: on {CHIPS} chips, below so many examples a chip, communication takes longer than compute. Memory "
        "may bound before. Figures for other numbers of chips, and times: "
        "[scale.json](../benchmarks/results/scale.json).",
        table(["configuration", *(f"{kind}, {axis}" for kind, axis in columns)], bounds),
    ])  # fmt: skip


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} B"
