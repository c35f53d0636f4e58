"""What a program is traced and compiled for: the one place that decides between plain ways and those for a device."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch

# What a CPU's compiler is told beyond its defaults. What each gains: docs/performance.md.
CPU_OPTIONS: dict[str, Any] = {
    # Products and convolutions stay with XLA, which hands them to YNNPACK else and is slower by it; sums go there.
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
    # An update in place copies no weights first: what reads the old ones comes before what writes the new.
    "xla_cpu_copy_insertion_use_region_analysis": True,
}

HALVES = (jnp.bfloat16, jnp.float16)
AMPERE = 8.0  # the compute capability from which cuDNN's attention is there
WIDEST = 128  # heads that it takes on all of them


def single_cpu() -> bool:
    """True where this program is traced for one CPU device.

    Over a mesh of several devices the compiler splits plain operations well, and hand-arranged ones badly; so it
    does on GPUs and TPUs, whose libraries choose the arrangement themselves.
    """
    return jax.default_backend() == "cpu" and jax.sharding.get_abstract_mesh().size <= 1 and batch.axis() is None


def gpu() -> bool:
    """True where this program is traced for GPUs."""
    return jax.default_backend() == "gpu"


def gpu_in_half(dtype: Any) -> bool:
    """True where this program is traced for GPUs and a dtype of 16 bits, which their matrix units take fastest.

    There two equal rows are faster than one alone: of one XLA writes all products to memory before it adds them, of two
    it makes a matrix product, and fewer kernels.
    """
    return gpu() and dtype in HALVES


def whole_on_gpus() -> bool:
    """True where this program is traced for GPUs of which each multiplies with all columns of a matrix."""
    return gpu() and jax.sharding.get_abstract_mesh().shape.get("tensor", 1) == 1


def fused_attention(dtype: Any, width: int) -> bool:
    """True where GPUs' cuDNN has attention in one kernel, for this dtype and heads of this width."""
    return (
        gpu_in_half(dtype) and width % 8 == 0 and width <= WIDEST and batch.axis() is None and _capability() >= AMPERE
    )


def program(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit` of a whole program, which no other encloses, with what the compiler does best here."""
    return jax.jit(function, compiler_options=_known(), **options)


def run_once(function: Callable[..., Any], **options: Any) -> Any:
    """`program` of what runs once: on a CPU, optimizing it takes four times longer than it saves."""
    plain = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=plain, **options)


def _capability() -> float:
    """NVIDIA's compute capability; 0 for what has none."""
    try:
        return float(getattr(jax.devices()[0], "compute_capability", 0))
    except ValueError:  # AMD's is a name
        return 0.0


@functools.cache
def _known() -> dict[str, Any] | None:
    """Those of CPU_OPTIONS that this compiler knows, on a CPU: they are XLA's own affair, and versions differ."""
    if jax.default_backend() != "cpu":
        return None
    return {name: value for name, value in CPU_OPTIONS.items() if _is_known(name, value)}


def _is_known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
