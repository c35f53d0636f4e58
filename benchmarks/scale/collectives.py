"""What the compiled training step moves between eight devices, against the least that its sharding needs.

The least, for n devices, P bytes of weights (gradients have as many), and a transformer of L blocks:

    data    2 (n-1)/n P: one all-reduce of the gradients
    fsdp    3 (n-1)/n P: weights gathered for the forward and for the backward pass, gradients reduced and scattered
            (Rajbhandari et al. 2020, ZeRO, section 7)
    tensor  4 L all-reduces of [batch, time, width] (Shoeybi et al. 2019, Megatron-LM, section 3), and one more for the
            gradient of what enters a head that is split

Other networks have no tensor rules: their least is zero.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from aigc_jax.train.feed import example
from aigc_jax.train.run import Run
from aigc_jax.train.sharding import Layout
from benchmarks.scale.hlo import Collective, by_kind, collectives, ring_bytes
from benchmarks.scale.standins import build_run, load_config
from benchmarks.scale.state import total_bytes

DEVICES = 8
LARGEST = 5  # collectives that a result names
MESHES: Mapping[str, Mapping[str, int]] = {"data": {"data": 8}, "fsdp": {"fsdp": 8}, "tensor": {"tensor": 8}}

# Narrow networks of the full structure, so that each compiles in seconds; {} = the full configuration.
CASES: Mapping[str, Mapping[str, Any]] = {
    "ddpm_cifar": {
        "networks.net.channels": 32,
        "networks.net.multipliers": (1, 2),
        "networks.net.blocks": 1,
        "networks.net.groups": 8,
        "data.batch_size": 16,
    },
    "gpt_tang": {"networks.net.layers": 2, "networks.net.heads": 8, "data.vocabulary_size": 1000},
    "dcgan_fashion_mnist": {},
    "vae_fashion_mnist": {},
}
FEW_OPTIMIZATIONS = {"xla_backend_optimization_level": 0}  # of code for one device; collectives come before


def least(axis: str, params: int, n: int, activations: int = 0, layers: int = 0, head: bool = False) -> float:
    """Bytes that a device has to send a step. params, activations ([batch, time, width]): bytes."""
    if axis == "tensor":
        return (4 * layers + head) * ring_bytes("all-reduce", activations, n)
    return {"data": 2, "fsdp": 3}[axis] * (n - 1) / n * params


def traced(run: Run) -> jax.stages.Traced:
    """The training program of a step, on the split that lies on the devices where there is one."""
    programs, source = run.programs, run.feeds["train"].source
    layout: Layout = programs.layout

    def shaped(shape: tuple[int, ...], dtype: Any, sharding: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)

    resident = {name: shaped(x.shape, x.dtype, layout.named()) for name, x in (source.arrays or {}).items()}
    rows = example(source, run.batch_size, layout)
    if resident:
        rows = {"index": jax.ShapeDtypeStruct((run.batch_size,), "int32")}
    items = {name: shaped((1, *x.shape), x.dtype, layout.batch(leading=1)) for name, x in rows.items()}
    return programs.traced(resident, items)


def compiled_text(run: Run) -> str:
    """The training program as XLA's partitioner and optimizer leave it."""
    with jax.set_mesh(run.programs.layout.mesh):
        return traced(run).lower().compile(compiler_options=FEW_OPTIMIZATIONS).as_text()


def measure(folder: Path) -> dict[str, Any]:
    """configuration -> mesh -> bytes sent a step by kind, the least, their ratio and the largest collectives."""
    return {
        name: {
            "changes": {key: list(x) if isinstance(x, tuple) else x for key, x in changes.items()},
            "meshes": {axis: _measure(load_config(name, changes), folder, axis) for axis in MESHES},
        }
        for name, changes in CASES.items()
    }


def _measure(config: Mapping[str, Any], folder: Path, axis: str) -> dict[str, Any]:
    run = build_run(config, folder, MESHES[axis])
    began = time.perf_counter()
    found = collectives(compiled_text(run), DEVICES)
    params = total_bytes(run.programs.described.params)
    network = config["networks"].get("net", {})
    shape: dict[str, Any] = {}
    if network.get("name") == "transformer.Transformer":
        values = run.batch_size * run.networks["net"]["length"] * network["width"]
        shape = {"activations": 4 * values, "layers": network["layers"], "head": not network["tied"]}
    needed, sent = least(axis, params, DEVICES, **shape), sum(one.sent for one in found)
    return {
        "params": params,
        "kinds": by_kind(found),
        "sent": sent,
        "least": needed,
        "ratio": sent / needed if needed else None,
        "largest": [_named(one) for one in sorted(found, key=lambda one: -one.sent)[:LARGEST]],
        "seconds": round(time.perf_counter() - began, 1),
    }


def _named(one: Collective) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "shape": one.shape[:160],
        "group": one.group,
        "sent": one.sent,
        "of": one.operation[-120:],
    }
