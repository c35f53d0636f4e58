"""A block of a transformer: branches that read the stream x [B, T, width] and are added to it.

    x + attention(norm(x), mask)      mask: which keys each query may read
    x + cross(norm(x), source)        of a decoder that reads another sequence
    x + mlp(norm(x))

With `style.after` the norm is of each sum: norm(x + attention(x, mask)).

The caller decides what a block attends to. A decoder asks for causal attention, or gives a memory of earlier keys and
values. An encoder or a masked model gives the mask of its padding.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.nn.layers.attention import CrossAttention, SelfAttention
from aigc_jax.nn.layers.cache import Memory
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.feed_forward import feed_forward
from aigc_jax.nn.layers.style import GPT2, Style, norm
from aigc_jax.ranges import Amount, Part, Size

STATIC = (3, 4)  # train and causal, for `nn.remat`
TENSOR_RULES = (  # each branch splits its hidden axis (Shoeybi et al. 2019, Megatron-LM)
    ("(qkv|key_value|key_value_[0-9]+)/kernel", 2),  # heads, whole ones
    ("(attention|cross)/query/kernel", 1),
    ("(mlp_in|mlp_gate)/kernel", 1),
    ("(attention/out|cross/out|mlp_out)/kernel", 0),
    ("head/kernel", 1),
)


class Block(nn.Module):
    """Attention and an MLP, each on the normalised stream and added to it."""

    heads: Size
    dropout: Part
    out_std: Amount
    dtype: Any = jnp.float32
    style: Style = GPT2
    inner_dropout: Part = 0.0  # of the MLP's hidden layer

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        mask: jax.Array | None,
        train: bool,
        causal: bool = False,
        memory: Memory | None = None,
        index: jax.Array | int = 0,
        angles: jax.Array | None = None,
        bias: jax.Array | None = None,
        source: Memory | None = None,
        source_mask: jax.Array | None = None,
    ) -> tuple[jax.Array, Memory]:
        """As `SelfAttention`. source, source_mask: what `CrossAttention` reads, where the block has one."""
        sizes = self.heads, self.dropout, self.out_std, self.dtype, self.style
        drop = Dropout(self.dropout)

        def normed(name: str) -> nn.Module:
            return norm(self.style, self.dtype, name, drawing=memory is not None)

        def before(layer: nn.Module) -> jax.Array:
            return x if self.style.after else layer(x)

        def added(layer: nn.Module, found: jax.Array) -> jax.Array:
            return layer(x + drop(found, train)) if self.style.after else x + drop(found, train)

        layer = normed("attention_norm")
        attention = SelfAttention(*sizes, name="attention")
        found, written = attention(before(layer), mask, train, causal, memory, index, angles, bias)
        x = added(layer, found)
        if source is not None:
            layer = normed("cross_norm")
            x = added(layer, CrossAttention(*sizes, name="cross")(before(layer), source, source_mask, train))
        layer = normed("mlp_norm")
        hidden = feed_forward(before(layer), self.out_std, self.dtype, self.style, self.inner_dropout, train)
        return added(layer, hidden), written
