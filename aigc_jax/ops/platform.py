"""Which device a program is traced for. This file alone decides between plain and hand-written kernels."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from aigc_jax.ops import batch

# Options of XLA for CPUs. docs/performance.md says what each gains.
CPU_OPTIONS: dict[str, Any] = {
    # YNNPACK computes sums alone. By default it also gets products and convolutions, which XLA computes faster.
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
    # Updates in place do not copy the weights first: XLA orders the reads before the writes.
    "xla_cpu_copy_insertion_use_region_analysis": True,
}

HALVES = (jnp.bfloat16, jnp.float16)
AMPERE = 8.0  # the least compute capability for cuDNN's attention
WIDEST = 128  # the widest heads that it takes on every such GPU


def single_cpu() -> bool:
    """True where this program is traced for one CPU device.

    XLA partitions plain operations over a mesh well, and hand-written ones badly. On GPUs and TPUs its libraries
    choose the algorithm themselves.
    """
    return jax.default_backend() == "cpu" and jax.sharding.get_abstract_mesh().size <= 1 and batch.axis() is None


def grouped_convolution() -> bool:
    """True where XLA has a convolution in groups with a right and fast gradient.

    Where one axis of a mesh splits the batch and another does not, XLA counts the kernel's gradient once for each
    device of the other (jax 0.10.2). CPUs have no fast one.
    """
    return jax.default_backend() != "cpu" and jax.sharding.get_abstract_mesh().size <= 1


def miscounted() -> bool:
    """True where a mesh splits the batch, and has an axis that does not.

    There XLA counts the gradient of a convolution's kernel once for each device of the other axis, in some programs
    (jax 0.10.2: the discriminator of StyleGAN2 on a mesh of 2 x 2 x 2). Products of matrices are right.
    """
    shape = jax.sharding.get_abstract_mesh().shape
    return math.prod(shape.get(axis, 1) for axis in batch.ROWS) > 1 and shape.get("tensor", 1) > 1


def gpu() -> bool:
    """True where this program is traced for GPUs."""
    return jax.default_backend() == "gpu"


def gpu_in_half(dtype: Any) -> bool:
    """True where this program is traced for GPUs, in a dtype of 16 bits.

    There two equal rows are faster than one. XLA compiles two to a matrix product, and one to an elementwise product
    in memory followed by a sum.
    """
    return gpu() and dtype in HALVES


def whole_on_gpus() -> bool:
    """True where this program is traced for GPUs and no mesh axis splits the columns of matrices."""
    return gpu() and jax.sharding.get_abstract_mesh().shape.get("tensor", 1) == 1


def fused_attention(dtype: Any, width: int) -> bool:
    """True where cuDNN has a kernel of attention for this dtype and heads of this width."""
    return (
        gpu_in_half(dtype) and width % 8 == 0 and width <= WIDEST and batch.axis() is None and _capability() >= AMPERE
    )


def program(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit` of an outermost function, with this device's compiler options."""
    return jax.jit(function, compiler_options=_known(), **options)


def run_once(function: Callable[..., Any], **options: Any) -> Any:
    """`program` for what runs once: not optimized on a CPU, where that takes four times as long as it saves."""
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
    """The CPU_OPTIONS that this version of XLA has; None on other devices."""
    if jax.default_backend() != "cpu":
        return None
    return {name: value for name, value in CPU_OPTIONS.items() if _is_known(name, value)}


def _is_known(name: str, value: Any) -> bool:
    try:
        jax.jit(lambda: 0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError:
        return False
    return True
