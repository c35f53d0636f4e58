"""Qwen3 as Hugging Face publishes it, `Qwen3Model` and `Qwen3ForCausalLM`, and `nn.transformer`.

Yang et al. 2025, arXiv:2505.09388. Its arrays have the names of
`weights.llama`, and those of the norms of queries and keys.
"""

from collections.abc import Mapping
from typing import Any

from aigc_jax.format import check_computed, check_options, first_of
from aigc_jax.weights import llama
from aigc_jax.weights.gpt2 import OPTIONS as DEFAULTS

NETWORK, PREFIX, BUFFERS = llama.NETWORK, llama.PREFIX, llama.BUFFERS

# What the network computes, by the keys that could ask for something else; the first of each is written.
COMPUTED: dict[str, tuple] = {"hidden_act": ("silu",), "use_sliding_window": (False,), "attention_bias": (False,)}
OPTIONS: dict[str, Any] = {**llama.OPTIONS, "query_key_norm": True}

table = llama.table


def fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of our network that computes the same. config: config.json.

    Raises ConfigError for a variant that it does not compute, KeyError for a size that is not there.
    """
    check_computed(NETWORK, config, COMPUTED)
    return {**llama.read_sizes({"head_dim": 128, **config}, tied=False), **OPTIONS}


def config(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What config.json says of such a network. Raises ConfigError for one that the format has no words for."""
    check_options("qwen3", {**DEFAULTS, **fields}, OPTIONS)
    return {"architectures": ["Qwen3ForCausalLM"], **llama.written_sizes(fields), **first_of(COMPUTED)}
