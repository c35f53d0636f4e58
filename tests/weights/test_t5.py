"""T5's published form: what NumPy computes from its arrays, in versions 1.0 and 1.1, and what is refused."""

import json
import math

import numpy as np
import pytest
from random_network import written

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.encoder_decoder import EncoderDecoder

TOKENS = np.array([[0, 1, 4, 1, 5, 9, 7], [0, 6, 5, 3, 5, 8, 1]], np.int32)
SOURCE = np.array([[3, 8, 4, 4, 6, 7, 1, 2, 5], [2, 7, 1, 8, 2, 0, 0, 0, 0]], np.int32)
FIELDS = dict(vocabulary=11, length=8, source_vocabulary=11, source_length=8, source_pad=0, layers=2, encoder_layers=1)
FIELDS |= dict(width=12, heads=3, dropout=0.0, head_width=6, mlp_width=20, buckets=8, farthest=6, shared=True)
VERSIONS = {
    "1.0": dict(tied=True, scaled_output=True, activation="relu"),
    "1.1": dict(tied=False, scaled_output=False, activation="geglu"),
}
NAME = "encoder_decoder.EncoderDecoder"


def bucket(offset, both):
    """Of 8 in all, the last from a distance of 6 on."""
    each = 4 if both else 8
    distance = abs(offset) if both else max(-offset, 0)
    first = each if both and offset > 0 else 0
    if distance < each // 2:
        return first + distance
    share = math.log(distance / (each // 2)) / math.log(6 / (each // 2))
    return first + min(each // 2 + math.floor(share * (each - each // 2)), each - 1)


def logits(arrays, tokens, source, gated):
    """Of one text [T] and its source [M] without padding: a loop over heads."""

    def norm(x, name):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * arrays[f"{name}.weight"]

    def attend(x, read, name, bias):
        q, k, v = (each @ arrays[f"{name}.{n}.weight"].T for each, n in ((x, "q"), (read, "k"), (read, "v")))
        heads = []
        for head, (one, two, three) in enumerate(zip(*(np.split(part, 3, -1) for part in (q, k, v)), strict=True)):
            weights = np.exp(one @ two.T + bias[head])
            heads.append(weights / weights.sum(-1, keepdims=True) @ three)
        return np.concatenate(heads, -1) @ arrays[f"{name}.o.weight"].T

    def forward(x, name):
        if not gated:
            return np.maximum(x @ arrays[f"{name}.wi.weight"].T, 0) @ arrays[f"{name}.wo.weight"].T
        gate = x @ arrays[f"{name}.wi_0.weight"].T
        gate = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)))
        return (gate * (x @ arrays[f"{name}.wi_1.weight"].T)) @ arrays[f"{name}.wo.weight"].T

    def stack(name, tokens, layers, read=None):
        size = range(len(tokens))
        table = arrays[f"{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        bias = np.array([[table[bucket(key - query, read is None)] for key in size] for query in size])
        bias = np.moveaxis(bias, -1, 0)
        if read is not None:
            bias = np.where(np.tri(len(tokens)) > 0, bias, -np.inf)
        x = arrays["shared.weight"][tokens]
        for layer in range(layers):
            own = f"{name}.block.{layer}.layer"
            h = norm(x, f"{own}.0.layer_norm")
            x = x + attend(h, h, f"{own}.0.SelfAttention", bias)
            last = 1
            if read is not None:
                h = norm(x, f"{own}.1.layer_norm")
                x, last = x + attend(h, read, f"{own}.1.EncDecAttention", np.zeros(3)), 2
            x = x + forward(norm(x, f"{own}.{last}.layer_norm"), f"{own}.{last}.DenseReluDense")
        return norm(x, f"{name}.final_layer_norm")

    x = stack("decoder", tokens, 2, stack("encoder", source, 1))
    return x @ arrays["lm_head.weight"].T if gated else x / np.sqrt(12) @ arrays["shared.weight"].T


@pytest.mark.parametrize("version", VERSIONS)
def test_the_written_arrays_compute_what_the_network_does(tmp_path, version):
    fields, given = {**FIELDS, **VERSIONS[version]}, {"source": SOURCE}
    module = EncoderDecoder(**fields)
    arrays, ours = written(tmp_path / "t5", "t5", module, fields, NAME, (TOKENS,), given=given, train=False)
    pairs = zip(TOKENS, (SOURCE[0], SOURCE[1, :5]), strict=True)
    expected = np.stack([logits(arrays, *pair, version == "1.1") for pair in pairs])
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(shared=False), '"shared" is False, and the format t5 has True alone'),
        (dict(scaled_output=False), '"scaled_output" is False, and the format t5 has True alone'),
        (dict(positions="learned"), "\"positions\" is 'learned'"),
        (dict(activation="gelu"), "\"activation\" is 'gelu', and the format t5 has one of relu, geglu, swiglu"),
    ],
)
def test_what_the_format_has_no_words_for_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError, match=said):
        published.write(tmp_path / "t5", {"name": NAME, **FIELDS, **VERSIONS["1.0"], **changes}, {}, "t5")


def test_whether_the_output_layer_is_tied(tmp_path):
    """Newer files of version 1.1 say that it is, and have one all the same."""
    config = dict(model_type="t5", vocab_size=11, d_model=12, d_kv=6, d_ff=20, num_layers=2, num_heads=3)
    for changes, tied in (
        ({}, True),
        (dict(tie_word_embeddings=False), False),
        (dict(tie_word_embeddings=True, scale_decoder_outputs=False), False),
    ):
        (tmp_path / published.CONFIG).write_text(json.dumps({**config, **changes}))
        network = published.read(tmp_path).network
        assert network["tied"] == network["scaled_output"] == tied
    (tmp_path / published.CONFIG).write_text(json.dumps({**config, "feed_forward_proj": "gelu"}))
    with pytest.raises(UserError, match="\"feed_forward_proj\" is 'gelu'"):
        published.read(tmp_path)
