"""What a program is traced and compiled for: the one place that decides between plain ways and those for a CPU."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from aigc_jax.ops import batch

# On CPUs XLA hands products and convolutions to YNNPACK, and is faster without: steps up to 1.3 times, features for FID
# 1.4 times. Sums stay there. What each piece of work gains: docs/performance.md.
CPU_OPTIONS: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}


def single_cpu() -> bool:
    """True where this program is traced for one CPU device.

    Over a mesh of several devices the compiler splits plain operations well, and hand-arranged ones badly; so it
    does on GPUs and TPUs, whose libraries choose the arrangement themselves.
    """
    return jax.default_backend() == "cpu" and jax.sharding.get_abstract_mesh().size <= 1 and batch.axis() is None


def program(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit` of a whole program, which no other encloses, with what the compiler does best here."""
    return jax.jit(function, compiler_options=_known(), **options)


def run_once(function: Callable[..., Any], **options: Any) -> Any:
    """`program` of what runs once: on a CPU, optimizing it takes four times longer than it saves."""
    plain = {"xla_backend_optimization_level": 0} if jax.default_backend() == "cpu" else None
    return jax.jit(function, compiler_options=plain, **options)


@functools.cache
def _known() -> dict[str, Any] | None:
    """CPU_OPTIONS on a CPU whose compiler knows them: they are experimental, and another version may not."""
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(lambda: 0, compiler_options=CPU_OPTIONS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return None
    return CPU_OPTIONS
