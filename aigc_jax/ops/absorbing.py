"""Texts whose tokens are hidden one by one by a mask: what can stand behind a mask, and the bound on a text's surprise.

With z a text of T tokens of which k random ones are masks, and α_t = 1 - t the share that is seen at time t, the bound
of continuous time (Sahoo et al. 2024, arXiv:2406.07524, eq. 10; Shi et al. 2024, arXiv:2406.04329) is

    -log p(x) <= ∫_0^1 1/t E[Σ_masked -log p(x_l | z)] dt = T E_k [1/k E[Σ_masked -log p(x_l | z)]],    k of 1 … T

since k tokens are hidden with ∫ C(T, k) t^(k-1) (1 - t)^(T-k) dt = 1/k of the weight 1/t. The right side is that of
models of any order (Hoogeboom et al. 2022, arXiv:2110.02037, section 3), whatever schedule the left one has. Its
estimates vary less: no weight exceeds T, and the number of masks is not drawn anew.
"""

import jax
import jax.numpy as jnp

from aigc_jax.ops.token_noise import exactly


def hidden(keys: jax.Array, quantile: jax.Array, length: int) -> tuple[jax.Array, jax.Array]:
    """(which tokens are masked, bool [B, length]; what the surprise of one of them counts, T / k, float32 [B]).

    quantile: of k, float32 [B] in [0, 1). keys: [B].
    """
    count = jnp.minimum(jnp.floor(quantile * length).astype(jnp.int32) + 1, length)
    may = jnp.ones((len(quantile), length), bool)
    return jax.vmap(exactly)(keys, may, count), length / count.astype(jnp.float32)


def possible(
    logits: jax.Array, seen: jax.Array, *, mask: int, pad: int, eos: int, never: tuple[int, ...] = ()
) -> jax.Array:
    """The logits with -inf where a text cannot have a token. float32 [B, T, V].

    seen: int [B, T], a text with masks. A text is tokens, EOS and padding, or tokens alone, and never has the mask
    (Sahoo et al. 2024, section 3.2.3, "zero masking probabilities") or one of `never`. So of masked places

    - all after an end that is seen pad;
    - none before a token that is seen is an end;
    - one just before padding is EOS or pads, and the first of a text does not pad.

    pad: may be `eos` itself, of texts that are filled up with their end. eos: -1 = texts have no end.
    """
    tokens = jnp.arange(logits.shape[-1])
    allowed = ~jnp.isin(tokens, jnp.array((mask, *never)))
    if eos >= 0:
        told = seen != mask
        pads, ends = seen == pad, told & ((seen == pad) | (seen == eos))
        after = _earlier(ends)
        before = jnp.flip(_earlier(jnp.flip(told & ~pads, axis=1)), axis=1)
        at_end = (tokens == pad) | (tokens == eos)
        may = jnp.where(before[..., None], ~at_end, True)
        if pad != eos:
            last = jnp.append(pads[:, 1:], jnp.zeros_like(pads[:, :1]), axis=1) & ~before
            may = jnp.where(last[..., None], at_end, may)
            may &= (jnp.arange(seen.shape[1]) > 0)[:, None] | (tokens != pad)
        allowed = allowed & jnp.where(after[..., None], tokens == pad, may)
    return jnp.where(allowed, logits, -jnp.inf)


def ended(tokens: jax.Array, *, pad: int, eos: int, filler: int) -> jax.Array:
    """The tokens up to their first end; what follows is `filler`. int [B, T]."""
    return jnp.where(_earlier((tokens == eos) | (tokens == pad)), filler, tokens) if eos >= 0 else tokens


def _earlier(x: jax.Array) -> jax.Array:
    """Whether any place before has it. bool [B, T]."""
    return jnp.cumsum(x, axis=1) - x > 0
