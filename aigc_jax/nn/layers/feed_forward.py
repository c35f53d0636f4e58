"""The feed-forward branch of a transformer's block, with or without a gate.

    W_out f(W_in x)                  Vaswani et al. 2017, section 3.3
    W_out (f(W_gate x) * W_in x)     Shazeer 2020, arXiv:2002.05202, eq. 6

The GELU is that of Hendrycks & Gimpel 2016, arXiv:1606.08415, exact or with a tanh.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax

from aigc_jax.nn.layers.dropout import Dropout
from aigc_jax.nn.layers.style import INIT_STD, Style, dense

EXPANSION = 4  # width of the hidden layer / width, where nothing else is said
GELU = jax.checkpoint(nn.gelu)  # computes the tanh again for its gradient: kept, it is a ninth of a step's memory
EXACT_GELU = jax.checkpoint(partial(nn.gelu, approximate=False))

PLAIN: dict[str, Callable] = {"gelu": EXACT_GELU, "gelu_tanh": GELU, "relu": nn.relu}
GATED: dict[str, Callable] = {"swiglu": nn.silu, "geglu": GELU}  # what the gate goes through


def feed_forward(
    x: jax.Array, out_std: float, dtype: Any, style: Style, dropout: float = 0.0, train: bool = False
) -> jax.Array:
    """x: [B, T, width] -> the same shape. Its layers belong to the compact module that calls it.

    dropout: of the hidden layer, as T5 has it.
    """
    width, biased = x.shape[-1], style.bias == "all"
    hidden = style.mlp_width or EXPANSION * width
    inside = dense(hidden, INIT_STD, dtype, "mlp_in", biased)(x)
    if style.activation in GATED:
        inside *= GATED[style.activation](dense(hidden, INIT_STD, dtype, "mlp_gate", biased)(x))
    else:
        inside = PLAIN[style.activation](inside)
    inside = Dropout(dropout)(inside, train) if dropout else inside
    return dense(width, out_std, dtype, "mlp_out", biased)(inside)
