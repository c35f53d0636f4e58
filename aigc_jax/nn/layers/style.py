"""What the blocks of transformers have in common, and how they differ: `Style`.

A style says everything about a block but its size. GPT-2's is the default; `nn/transformer`, `nn/bert` and
`nn/encoder_decoder` make the others from their own fields.
"""

from typing import Annotated, Any, Literal, NamedTuple

import flax.linen as nn

from aigc_jax.ops.kernels.matmul import rows_dot
from aigc_jax.ops.platform import gpu_in_half
from aigc_jax.ranges import Count, above

INIT_STD = 0.02  # of embeddings and kernels
NORM_EPSILON = 1e-5

Positions = Literal["learned", "sinusoidal", "rotary", "relative", "none"]
Norm = Literal["layer", "rms"]
Activation = Literal["gelu", "gelu_tanh", "relu", "swiglu", "geglu"]
Bias = Literal["all", "qkv", "none"]
Epsilon = Annotated[float, above(0)]


class Style(NamedTuple):
    """How a block computes. 0 stands for what the width and the heads give.

    norm: "layer" (Ba et al. 2016, arXiv:1607.06450) or "rms" (Zhang & Sennrich 2019, arXiv:1910.07467).
    after: the norm is of the sum of stream and branch (Vaswani et al. 2017), and not of what the branch reads.
    bias: which layers add one: all of them, those of query, key and value, or none. The norm "layer" adds one with
    "all".
    scaled: scores are divided by sqrt(d). T5 leaves that to the initial weights.
    """

    norm: Norm = "layer"
    epsilon: Epsilon = NORM_EPSILON
    activation: Activation = "gelu_tanh"
    bias: Bias = "all"
    kv_heads: Count = 0
    head_width: Count = 0
    mlp_width: Count = 0
    query_key_norm: bool = False
    after: bool = False
    scaled: bool = True


GPT2 = Style()


def dense(
    features: int | tuple[int, ...], std: float, dtype: Any, name: str | None = None, bias: bool = True
) -> nn.DenseGeneral:
    """A linear layer [..., in] -> [..., *features] whose initial kernel has this standard deviation."""
    init = nn.initializers.normal(std)
    return nn.DenseGeneral(features, use_bias=bias, kernel_init=init, dtype=dtype, name=name, dot_general=rows_dot)


def norm(style: Style, dtype: Any, name: str | None = None, drawing: bool = False) -> nn.Module:
    """The normalisation of the last axis.

    drawing: one token a text. There XLA fuses a variance of deviations into one kernel, one of squares into two.
    """
    if style.norm == "rms":
        return nn.RMSNorm(style.epsilon, dtype=dtype, name=name)
    fast = not (drawing and gpu_in_half(dtype))
    bias = style.bias == "all"
    return nn.LayerNorm(style.epsilon, use_bias=bias, use_fast_variance=fast, dtype=dtype, name=name)


def embedding(rows: int, width: int, dtype: Any, name: str | None = None) -> nn.Embed:
    """A table of vectors [rows, width]."""
    return nn.Embed(rows, width, embedding_init=nn.initializers.normal(INIT_STD), dtype=dtype, name=name)


def branch_std(branches: int) -> float:
    """Of the initial weights that write to the residual stream, which so many branches add to."""
    return INIT_STD / branches**0.5
