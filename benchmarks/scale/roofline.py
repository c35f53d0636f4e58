"""Time of a step, predicted from counts and from vendors' figures: nothing here is measured on an accelerator.

Each step takes the longest of three times, as if they overlapped fully (Williams et al. 2009, Roofline):

    compute        FLOPs of all contractions and convolutions / peak
    memory         bytes that these read and write, state and gradients once each / HBM bandwidth
    communication  the least of `collectives` / bandwidth between chips

FLOPs and bytes are counted in the step's jaxpr at the configuration's batch and at twice that; the line through both
has a part for each example, and for the bytes a part that the weights take at any batch. The bytes suppose that
everything elementwise is fused into its neighbours, and that no cache holds an activation from one contraction to the
next. Latency is left out: where a time comes out in microseconds, launches and hops take longer than what is counted.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from benchmarks.scale.collectives import traced
from benchmarks.scale.standins import build_run, load_config
from benchmarks.scale.state import total_bytes

CHIPS = (8, 64, 256)
ROUNDS = {"data": 2, "fsdp": 3}  # (n-1)/n of the weights' bytes that a device sends


class Hardware(NamedTuple):
    """Of a chip: FLOP/s and bytes/s, one way. `outer` joins nodes of `node` chips; 0 = one network joins all."""

    peak: float  # of float32 contractions as JAX runs them: one pass in bfloat16 on a TPU, TF32 on a GPU
    memory: float
    inner: float
    node: int
    outer: float
    source: str


HARDWARE: Mapping[str, Hardware] = {
    "TPU v5e": Hardware(
        197e12, 819e9, 1600e9 / 8, 0, 0.0, "Google Cloud, TPU v5e: 197 TFLOP/s, 819 GB/s, ICI 1,600 Gbit/s"
    ),
    "TPU v6e": Hardware(
        918e12, 1640e9, 3584e9 / 8, 0, 0.0, "Google Cloud, TPU v6e: 918 TFLOP/s, 1,640 GB/s, ICI 3,584 Gbit/s"
    ),
    "H100 SXM": Hardware(
        494.5e12, 3.35e12, 450e9, 8, 400e9 / 8,
        "NVIDIA, H100 data sheet, without sparsity: TF32 half of 989 TFLOP/s, 3.35 TB/s, NVLink 900 GB/s in both "
        "directions; 400 Gbit/s a GPU between nodes, as in DGX H100",
    ),
}  # fmt: skip


class Counts(NamedTuple):
    """Of a program: FLOPs, and bytes of the operands and results of contractions and convolutions."""

    flops: float
    bytes: float


def contractions(jaxpr: Any) -> Counts:
    """Of a jaxpr and all within it. A scan counts as often as it turns, a while loop once, of branches the dearest."""
    flops = moved = 0.0
    for eqn in jaxpr.eqns:
        kind, result = eqn.primitive.name, eqn.outvars[0].aval if eqn.outvars else None
        if kind in ("dot_general", "conv_general_dilated"):
            flops += 2 * result.size * _terms(eqn)
            moved += sum(x.aval.size * x.aval.dtype.itemsize for x in (*eqn.invars, *eqn.outvars))
            continue
        inner = [contractions(x) for x in _jaxprs(eqn.params)]
        if not inner:
            continue
        if kind == "cond":
            inner = [max(inner)]
        turns = eqn.params["length"] if kind == "scan" else 1
        flops += turns * sum(one.flops for one in inner)
        moved += turns * sum(one.bytes for one in inner)
    return Counts(flops, moved)


def transformer_flops(params: int, layers: int, width: int, tokens: int, length: int) -> float:
    """Of a training step on `tokens` tokens in rows of `length`: 6 N + 12 L width length a token.

    params: N, those of matrices that tokens are multiplied with. Attention is counted in full, its masked half too
    (Kaplan et al. 2020, table 1; Chowdhery et al. 2022, appendix B).
    """
    return tokens * (6.0 * params + 12.0 * layers * width * length)


def communication_seconds(weights: float, chips: int, rounds: int, hardware: Hardware) -> float:
    """Of `rounds` · (n-1)/n · `weights` bytes a device; over nodes in a hierarchy: each chip sends a node's part."""
    if not hardware.node or chips <= hardware.node:
        return rounds * (chips - 1) / chips * weights / hardware.inner
    inside, nodes = hardware.node, chips / hardware.node
    within = rounds * (inside - 1) / inside * weights / hardware.inner
    return within + rounds * (nodes - 1) / nodes * weights / inside / hardware.outer


def predict(work: Mapping[str, float], sharding: str, chips: int, hardware: Hardware) -> dict[str, Any]:
    """Seconds of a step at the configuration's batch, and the examples a chip below which chips mostly talk.

    work: what `measure` counts. Where the batch cannot be split, the step's times are left out.
    """
    talk = communication_seconds(work["params"], chips, ROUNDS[sharding], hardware)
    found = {"bound_below": talk * hardware.peak / work["flops"], "communication": talk}
    if work["batch"] % chips:
        return found
    examples, held = work["batch"] / chips, work["state"] / (chips if sharding == "fsdp" else 1)
    gradient = work["params"] / (chips if sharding == "fsdp" else 1)
    moved = work["weight_bytes"] + work["example_bytes"] * examples + 2 * held + gradient
    times = {"compute": examples * work["flops"] / hardware.peak, "memory": moved / hardware.memory}
    longest = {**times, "communication": talk}
    return {**found, **times, "bound": max(longest, key=lambda key: longest[key])}


def measure(names: Sequence[str], folder: Path) -> dict[str, Any]:
    """configuration -> counts, and predictions by hardware, sharding and number of chips."""
    results = {}
    for name in names:
        work = count(name, folder)
        results[name] = {
            **work,
            "predicted": {
                kind: {axis: {str(n): predict(work, axis, n, chip) for n in CHIPS} for axis in ROUNDS}
                for kind, chip in HARDWARE.items()
            },
        }
    return {"hardware": {kind: chip._asdict() for kind, chip in HARDWARE.items()}, "configs": results}


def count(name: str, folder: Path) -> dict[str, Any]:
    """Of one configuration's step, as accelerators run it.

    It is traced for a mesh of two devices, whose program counts the work of both: for one CPU alone it would be made
    of other operations (`ops.platform`).
    flops, example_bytes: of an example. weight_bytes: of contractions, at any batch. params, state: bytes.
    xla_flops: of an example by XLA's own analysis of the step, before it is optimized; a loop's body counts once.
    """
    batch = load_config(name)["data"]["batch_size"]
    counted = []
    for times in (1, 2):
        config = load_config(name, {"data.batch_size": times * batch})
        run = build_run(config, folder, {"data": 2}, devices=2)
        program = traced(run)
        counted.append(contractions(program.jaxpr.jaxpr))
        if times == 1:
            state = run.programs.described
            analysis = program.lower().cost_analysis()
            work: dict[str, Any] = {
                "batch": batch,
                "params": total_bytes(state.params),
                "state": total_bytes((state.params, state.opt_state, state.ema)),
                "xla_flops": float(analysis["flops"]) / batch,
                **_analytic(run, config),
            }
    once, twice = counted
    slope = (twice.bytes - once.bytes) / batch
    flops = (twice.flops - once.flops) / batch
    return {**work, "flops": flops, "example_bytes": slope, "weight_bytes": max(once.bytes - slope * batch, 0.0)}


def _analytic(run: Any, config: Mapping[str, Any]) -> dict[str, float]:
    net = config["networks"].get("net", {})
    if net.get("name") != "transformer.Transformer":
        return {}
    matrices = 0
    for path, leaf in jax.tree.leaves_with_path(run.programs.described.params):
        path = jax.tree_util.keystr(path, simple=True, separator="/")
        looked_up = "positions" in path or ("embedding" in path and not net["tied"])
        matrices += leaf.size if leaf.ndim == 2 and not looked_up else 0
    length = run.networks["net"]["length"]  # of what the codec gives
    return {"formula_flops": transformer_flops(matrices, net["layers"], net["width"], length, length)}


def _terms(eqn: Any) -> float:
    """Products that are added up for one value of the result."""
    if eqn.primitive.name == "dot_general":
        left = eqn.invars[0].aval.shape
        return math.prod(left[axis] for axis in eqn.params["dimension_numbers"][0][0])
    _, inputs, *spatial = eqn.params["dimension_numbers"].rhs_spec
    kernel = eqn.invars[1].aval.shape
    # A dilated input has zeros between its values, which a good program does not multiply.
    return kernel[inputs] * math.prod(kernel[axis] for axis in spatial) / math.prod(eqn.params["lhs_dilation"])


def _jaxprs(params: Mapping[str, Any]) -> list[Any]:
    """Those in an equation's parameters."""
    values = [x for value in params.values() for x in (value if isinstance(value, list | tuple) else [value])]
    open_ones = [getattr(value, "jaxpr", value) for value in values]
    return [x for x in open_ones if hasattr(x, "eqns")]
