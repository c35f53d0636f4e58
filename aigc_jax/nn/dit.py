"""DiT, the diffusion transformer (Peebles & Xie 2023, arXiv:2212.09748): an image and its time -> an image.

Patches of the image are tokens. A block has attention and an MLP; what is given decides, by one linear layer of the
condition c, how both are shifted, scaled and gated (section 3.2, adaLN-Zero):

    x + gate_1 attention((1 + scale_1) norm(x) + shift_1)
    x + gate_2 mlp((1 + scale_2) norm(x) + shift_2)

c is the sum of the embeddings of time and label. All these layers begin at zero, so every block is the identity.

A text is read as in PixArt-α (Chen et al. 2023, arXiv:2310.00426, section 2.3): by attention from patches to tokens
between the two branches, with an output layer that begins at zero. An image stands beside x as further channels
(`layers.given_image`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from aigc_jax.errors import Unfit
from aigc_jax.nn.layers import block, style
from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.feed_forward import GELU
from aigc_jax.nn.layers.fit import check_divides, check_shape
from aigc_jax.nn.layers.given_image import beside
from aigc_jax.ops.embedding import embed_time
from aigc_jax.ops.positions import grid_angles, grid_sines, line_sines, rotate
from aigc_jax.ranges import Count, Part, Size, above

FREQUENCIES = 256  # features of the time before its MLP
EPSILON = 1e-6  # of the normalisation
PAD = 0  # the token that fills texts up to one length

GLOROT = nn.initializers.xavier_uniform()
SMALL = nn.initializers.normal(0.02)
ZERO = nn.initializers.zeros_init()


def _norm(x: jax.Array, shift: jax.Array, scale: jax.Array, dtype: Any) -> jax.Array:
    """x: [B, N, width], shift and scale: [B, 1, width]."""
    normed = nn.LayerNorm(EPSILON, use_bias=False, use_scale=False, use_fast_variance=False, dtype=dtype)(x)
    return normed * (1 + scale) + shift


class Attention(nn.Module):
    """Multi-head attention from x to what it reads."""

    heads: Size
    dropout: Part
    out_init: Any
    dtype: Any

    @nn.compact
    def __call__(
        self, x: jax.Array, read: jax.Array, mask: jax.Array | None, angles: jax.Array | None, train: bool
    ) -> jax.Array:
        """x: [B, N, width], read: [B, M, width] -> as x.

        mask: bool [B, 1, 1, M]; False = not read. angles: float32 [N, width / heads / 2], of rotary positions.
        """
        width = x.shape[-1]

        def project(name: str, inputs: jax.Array) -> jax.Array:
            h = nn.Dense(width, kernel_init=GLOROT, dtype=self.dtype, name=name)(inputs)
            return h.reshape(*inputs.shape[:2], self.heads, width // self.heads)

        query, key, value = project("query", x), project("key", read), project("value", read)
        if angles is not None:
            query, key = rotate(query, angles), rotate(key, angles)
        found = jax.nn.dot_product_attention(query, key, value, mask=mask).reshape(x.shape)
        found = nn.Dense(width, kernel_init=self.out_init, dtype=self.dtype, name="out")(found)
        return Dropout(self.dropout)(found, train)


class Block(nn.Module):
    """Attention and an MLP, both modulated by the condition; between them attention to a text, where there is one."""

    heads: Size
    hidden: Size
    dropout: Part
    dtype: Any

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        condition: jax.Array,
        angles: jax.Array | None,
        text: tuple[jax.Array, jax.Array] | None,
        train: bool,
    ) -> jax.Array:
        """x: [B, N, width], condition: [B, 1, width] -> as x. angles: as `Attention`. text: as `Text` gives it."""
        width = x.shape[-1]
        modulation = nn.Dense(6 * width, kernel_init=ZERO, dtype=self.dtype, name="modulation")(condition)
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = jnp.split(modulation, 6, axis=-1)
        h = _norm(x, shift_1, scale_1, self.dtype)
        x = x + gate_1 * Attention(self.heads, self.dropout, GLOROT, self.dtype, name="attention")(
            h, h, None, angles, train
        )
        if text is not None:
            x = x + Attention(self.heads, self.dropout, ZERO, self.dtype, name="text_attention")(x, *text, None, train)
        h = _norm(x, shift_2, scale_2, self.dtype)
        h = GELU(nn.Dense(self.hidden, kernel_init=GLOROT, dtype=self.dtype, name="mlp_in")(h))
        h = Dropout(self.dropout)(h, train)
        return x + gate_2 * nn.Dense(width, kernel_init=GLOROT, dtype=self.dtype, name="mlp_out")(h)


class Text(nn.Module):
    """Tokens -> what patches read: a learned vector for no text, and the tokens after an encoder."""

    vocabulary: Size
    layers: Count
    width: Size
    heads: Size
    dropout: Part
    dtype: Any

    @nn.compact
    def __call__(self, tokens: jax.Array, kept: jax.Array | None, train: bool) -> tuple[jax.Array, jax.Array]:
        """tokens: int [B, T] -> float [B, 1 + T, width], and bool [B, 1, 1, 1 + T]: what may be read.

        Padding may not, and nothing but the first vector of examples that are not kept. So there always is something.
        """
        x = nn.Embed(self.vocabulary, self.width, embedding_init=SMALL, dtype=self.dtype, name="embedding")(tokens)
        x += line_sines(jnp.arange(tokens.shape[1]), self.width).astype(self.dtype)
        none = self.param("none", SMALL, (self.width,)).astype(self.dtype)
        x = jnp.concatenate([jnp.broadcast_to(none, (len(x), 1, self.width)), x], axis=1)
        real = tokens != PAD
        if kept is not None:
            real &= kept[:, None]
        readable = jnp.pad(real, ((0, 0), (1, 0)), constant_values=True)[:, None, None]
        for layer in range(self.layers):
            encode = block.Block(self.heads, self.dropout, style.INIT_STD, self.dtype, name=f"encoder_{layer}")
            x, _ = encode(x, readable, train)
        return nn.LayerNorm(EPSILON, dtype=self.dtype, name="norm")(x), readable


class DiT(nn.Module):
    """The network that predicts; its output is zero before training.

    The paper's sizes (table 1). Weights are those for images 32 x 32 x 4 with patches of 2, sines, 1,000 classes and a
    learned variance:

        size  width  layers  heads       weights
        S       384      12      6    32,865,056
        B       768      12     12   130,315,808
        L     1,024      24     16   457,840,672
        XL    1,152      28     16   674,834,720
    """

    shape: tuple[Size, Size, Size]  # of an image: height, width, channels
    patch: Size  # side of the squares that are tokens; it divides both sides of an image
    width: Size  # of the residual stream
    layers: Size  # blocks of attention and an MLP
    heads: Size  # of the attention; they divide `width`
    positions: Literal["sines", "learned", "rotary"]  # sines: fixed, of the paper; rotary: turns queries and keys
    label_classes: Count  # of the labels that it reads; 0 = it reads none
    mlp_ratio: Annotated[float, above(0)] = 4.0  # width of the MLP's hidden layer / `width`
    dropout: Part = 0.0  # share of the values that are zeroed in training, in both branches; the paper has none
    learned_variance: bool = False  # whether it has outputs for the variance too, as the paper's weights
    context: str = "caption"  # the field with the text that it reads, where `context_vocabulary` is not 0
    context_vocabulary: Count = 0  # of that text; 0 = it reads none
    context_layers: Count = 2  # of the encoder of that text
    image: str = ""  # the given field whose image it sees beside x, enlarged where it is smaller; "" = none
    dtype: Any = jnp.float32
    remat: bool = False  # compute each block again for its gradient, instead of keeping what is inside

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of what it reads in `given`."""
        texts = (self.context,) * bool(self.context_vocabulary)
        return ("label",) * bool(self.label_classes) + texts + (self.image,) * bool(self.image)

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        t: jax.Array,
        given: Mapping[str, jax.Array] | None = None,
        kept: jax.Array | None = None,
        *,
        train: bool,
        variance: bool = False,
    ) -> jax.Array:
        """x: float [B, H, W, C], t: [B] in steps, integer or float -> float32 [B, H, W, C].

        given: "label", int [B], the tokens of `context`, int [B, T], and the field `image`, float [B, h, w, c], of what
        it reads; what lacks is as not kept, but the image has to be there.
        kept: bool [B], whether to read it; None = of all examples. variance: also give the outputs for the variance
        (Nichol & Dhariwal 2021, arXiv:2102.09672, eq. 15), where they are learned: float32 [B, H, W, 2C].
        """
        grid = self._fitting(x.shape[1:])
        given = given or {}
        rows, channels = len(x), x.shape[-1]

        time = nn.Dense(self.width, kernel_init=SMALL, dtype=self.dtype, name="time_1")(embed_time(t, FREQUENCIES))
        time = nn.Dense(self.width, kernel_init=SMALL, dtype=self.dtype, name="time_2")(nn.silu(time))
        condition = nn.silu(time + self._label(given, kept, rows))[:, None]
        text = self._text(given, kept, rows, train)

        patches = beside(x, self.image, given, kept)
        patches = patches.reshape(rows, grid[0], self.patch, grid[1], self.patch, -1).swapaxes(2, 3)
        h = patches.reshape(rows, grid[0] * grid[1], -1)
        h = nn.Dense(self.width, kernel_init=GLOROT, dtype=self.dtype, name="in")(h)
        angles = None
        if self.positions == "sines":
            h += grid_sines(*grid, self.width).astype(self.dtype)
        elif self.positions == "learned":
            h += self.param("positions", SMALL, h.shape[1:]).astype(self.dtype)
        else:
            angles = grid_angles(*grid, self.width // self.heads)

        block = nn.remat(Block, static_argnums=(5,)) if self.remat else Block  # 5: train
        hidden = max(1, round(self.mlp_ratio * self.width))
        for layer in range(self.layers):
            h = block(self.heads, hidden, self.dropout, self.dtype, name=f"blocks_{layer}")(
                h, condition, angles, text, train
            )

        modulation = nn.Dense(2 * self.width, kernel_init=ZERO, dtype=self.dtype, name="modulation")(condition)
        shift, scale = jnp.split(modulation, 2, axis=-1)
        h = _norm(h, shift, scale, self.dtype)
        outputs = channels * (2 if self.learned_variance else 1)
        h = nn.Dense(self.patch**2 * outputs, kernel_init=ZERO, dtype=self.dtype, name="out")(h)
        h = h.reshape(rows, *grid, self.patch, self.patch, outputs).swapaxes(2, 3)
        h = h.reshape(*x.shape[:-1], outputs).astype(jnp.float32)
        return h if variance else h[..., :channels]

    @nn.nowrap
    def example(self) -> tuple[tuple, dict]:
        """The inputs of a call, to make variables from. An image has as many channels as x."""
        given = {"label": jnp.zeros(1, jnp.int32), self.context: jnp.zeros((1, 1), jnp.int32)}
        given |= {self.image: jnp.zeros((1, *self.shape))}
        given = {name: given[name] for name in self.reads}
        return (jnp.zeros((1, *self.shape)), jnp.zeros(1), given), {"train": False}

    def _label(self, given: Mapping[str, jax.Array], kept: jax.Array | None, rows: int) -> jax.Array | float:
        """[B, width]; the last row of the table is that of no label."""
        if not self.label_classes:
            return 0.0
        none = jnp.full(rows, self.label_classes)
        label = given.get("label", none)
        label = label if kept is None else jnp.where(kept, label, none)
        table = nn.Embed(self.label_classes + 1, self.width, embedding_init=SMALL, dtype=self.dtype, name="label")
        return table(label)

    def _text(
        self, given: Mapping[str, jax.Array], kept: jax.Array | None, rows: int, train: bool
    ) -> tuple[jax.Array, jax.Array] | None:
        if not self.context_vocabulary:
            return None
        tokens = given.get(self.context, jnp.full((rows, 1), PAD))
        sizes = self.context_vocabulary, self.context_layers, self.width, self.heads
        return Text(*sizes, self.dropout, self.dtype, name="text")(tokens, kept, train)

    def _fitting(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(rows, columns) of patches in images of this shape, (H, W, C). Raises Unfit."""
        check_shape("shape", self.shape, shape)
        height, width = shape[:2]
        if height % self.patch or width % self.patch:
            sides = ", ".join(str(n) for n in range(1, min(height, width) + 1) if height % n == width % n == 0)
            why = f"has to divide both sides of the images, {height} × {width}: one of {sides}"
            raise Unfit("patch", self.patch, why)
        check_divides("heads", self.heads, "the width", self.width)
        if self.positions == "sines" and self.width % 4:
            raise Unfit("width", self.width, "sines along two axes need a multiple of 4")
        if self.positions == "rotary" and self.width // self.heads % 4:
            why = f"rotary positions need a multiple of 4 a head: a multiple of {4 * self.heads}"
            raise Unfit("width", self.width, why)
        if self.context_vocabulary and self.width % 2:
            raise Unfit("width", self.width, "a text needs an even one")
        return height // self.patch, width // self.patch
