"""Llama's and Qwen's published forms: what NumPy computes from their arrays, and what is refused."""

import json

import numpy as np
import pytest
from random_network import written

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.transformer import Transformer

TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]], np.int32)
FIELDS = dict(vocabulary=11, length=8, layers=2, width=12, heads=3, dropout=0.0, tied=False, mlp_width=20)
FIELDS |= dict(positions="rotary", norm="rms", activation="swiglu", bias="none", norm_epsilon=1e-6, rope_theta=500.0)
FORMS = {
    "llama": dict(head_width=0),
    "qwen2": dict(kv_heads=1, bias="qkv", tied=True),
    "qwen3": dict(kv_heads=1, head_width=6, query_key_norm=True),
}


def norm(x, scale):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * scale


def turned(x):
    """Complex numbers that position and frequency turn; x: [T, d]."""
    half = x.shape[-1] // 2
    angles = np.arange(len(x))[:, None] / 500.0 ** (np.arange(half) / half)
    z = (x[:, :half] + 1j * x[:, half:]) * np.exp(1j * angles)
    return np.concatenate([z.real, z.imag], -1)


def logits(arrays, tokens, fields):
    """Of one text [T], a loop over heads."""
    heads, kv_heads = fields["heads"], fields.get("kv_heads") or fields["heads"]
    each = fields.get("head_width") or fields["width"] // heads
    x = arrays["model.embed_tokens.weight"][tokens]
    for layer in range(fields["layers"]):
        own = {key.split(f"layers.{layer}.")[1]: a for key, a in arrays.items() if f"layers.{layer}." in key}
        h = norm(x, own["input_layernorm.weight"])
        q, k, v = (
            h @ own[f"self_attn.{n}_proj.weight"].T + own.get(f"self_attn.{n}_proj.bias", 0.0) for n in ("q", "k", "v")
        )
        read = []
        for head in range(heads):
            group = head * kv_heads // heads
            query, key = q[:, head * each :][:, :each], k[:, group * each :][:, :each]
            if fields.get("query_key_norm"):
                query = norm(query, own["self_attn.q_norm.weight"])
                key = norm(key, own["self_attn.k_norm.weight"])
            scores = turned(query) @ turned(key).T / np.sqrt(each)
            weights = np.exp(np.where(np.tri(len(tokens)) > 0, scores, -np.inf))
            read.append(weights / weights.sum(-1, keepdims=True) @ v[:, group * each :][:, :each])
        x = x + np.concatenate(read, -1) @ own["self_attn.o_proj.weight"].T
        h = norm(x, own["post_attention_layernorm.weight"])
        gate = h @ own["mlp.gate_proj.weight"].T
        x = x + (gate / (1 + np.exp(-gate)) * (h @ own["mlp.up_proj.weight"].T)) @ own["mlp.down_proj.weight"].T
    return norm(x, arrays["model.norm.weight"]) @ arrays.get("lm_head.weight", arrays["model.embed_tokens.weight"]).T


@pytest.mark.parametrize("form", FORMS)
def test_the_written_arrays_compute_what_the_network_does(tmp_path, form):
    fields = {**FIELDS, **FORMS[form]}
    module = Transformer(**fields)
    name = "transformer.Transformer"
    arrays, ours = written(tmp_path / form, form, module, fields, name, (TOKENS,), causal=True, train=False)
    expected = np.stack([logits(arrays, tokens, fields) for tokens in TOKENS])
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("form", "changes", "said"),
    [
        ("gpt2", {}, "\"positions\" is 'rotary', and the format gpt2 has 'learned' alone"),
        ("llama", dict(positions="learned"), "\"positions\" is 'learned', and the format llama has 'rotary' alone"),
        ("llama", dict(bias="qkv"), "\"bias\" is 'qkv', and the format llama has 'none' alone"),
        ("qwen3", {}, '"query_key_norm" is False, and the format qwen3 has True alone'),
    ],
)
def test_what_a_format_has_no_words_for_is_refused(tmp_path, form, changes, said):
    with pytest.raises(UserError, match=said):
        published.write(tmp_path / form, {"name": "transformer.Transformer", **FIELDS, **changes}, {}, form)
    assert not (tmp_path / form).exists()


CONFIG = dict(model_type="llama", vocab_size=11, max_position_embeddings=8, num_hidden_layers=2, hidden_size=12)
CONFIG |= dict(num_attention_heads=3, intermediate_size=20)


def read(folder, **changes):
    (folder / published.CONFIG).write_text(json.dumps({**CONFIG, **changes}))
    return published.read(folder).network


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(attention_bias=True), '"attention_bias" is True, and transformer.Transformer has False'),
        (dict(hidden_act="gelu"), "\"hidden_act\" is 'gelu', and transformer.Transformer has 'silu'"),
        (dict(rope_scaling={"type": "linear", "factor": 2.0}), 'of the type "linear"'),
        (dict(rope_parameters={"rope_type": "llama3", "rope_theta": 5e5}), 'of the type "llama3"'),
        (dict(model_type="qwen2", use_sliding_window=True), '"use_sliding_window" is True'),
    ],
)
def test_what_the_network_does_not_compute_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        read(tmp_path, **changes)


def test_older_and_newer_files_say_the_period_in_their_own_ways(tmp_path):
    assert read(tmp_path)["rope_theta"] == 10_000
    assert read(tmp_path, rope_theta=500.0, rope_scaling=None)["rope_theta"] == 500
    assert read(tmp_path, rope_parameters={"rope_type": "default", "rope_theta": 5e5})["rope_theta"] == 5e5
    assert read(tmp_path, model_type="qwen3")["head_width"] == 128  # where a file does not say it
