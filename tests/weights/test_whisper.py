"""Whisper's published form: written and read to the bit, what NumPy computes from its arrays, and what is refused."""

import json
import math

import jax
import numpy as np
import pytest
from random_whisper import NAME, variables
from safetensors.numpy import load_file

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.whisper import Whisper
from aigc_jax.ops.platform import run_once

TOKENS = np.array([[0, 1, 4, 1, 5, 9, 7]], np.int32)
SOURCE = np.random.RandomState(0).randn(1, 8, 5).astype(np.float32)
FIELDS = dict(vocabulary=11, length=8, source_length=4, mels=5, layers=2, encoder_layers=1, width=12, heads=3)
FIELDS |= dict(dropout=0.0, mlp_width=20)
ERF = np.vectorize(math.erf)


@pytest.fixture(scope="module")
def wrote(tmp_path_factory):
    """(a folder, the variables in it, their arrays, what our network computes)."""
    module, found = Whisper(**FIELDS), variables(FIELDS)
    folder = tmp_path_factory.mktemp("whisper") / "it"
    published.write(folder, {"name": NAME, **FIELDS}, found, "whisper")
    arrays = {name: x.astype(np.float64) for name, x in load_file(folder / published.ARRAYS).items()}
    logits = run_once(lambda v: module.apply(v, TOKENS, given={"source": SOURCE}, train=False))(found)
    return folder, found, arrays, np.asarray(logits)


def expected(arrays):
    """Of one text [T] and its spectrogram [F, 5]: a loop over heads."""

    def linear(x, name):
        bias = arrays.get(f"{name}.bias")
        return x @ arrays[f"{name}.weight"].T + (0 if bias is None else bias)

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]

    def gelu(x):
        return x * 0.5 * (1 + ERF(x / math.sqrt(2)))

    def convolve(x, name, stride):
        x, kernel = np.pad(x, ((1, 1), (0, 0))), arrays[f"{name}.weight"]
        rows = range(0, len(x) - 2, stride)
        return np.stack([np.einsum("kc,ock->o", x[i : i + 3], kernel) for i in rows]) + arrays[f"{name}.bias"]

    def attend(x, read, name, causal=False):
        q, k, v = (linear(each, f"{name}.{letter}_proj") for each, letter in ((x, "q"), (read, "k"), (read, "v")))
        heads = []
        for one, two, three in zip(*(np.split(part, 3, -1) for part in (q, k, v)), strict=True):
            scores = one @ two.T / 2
            weights = np.exp(np.where(np.tri(len(x), dtype=bool), scores, -np.inf) if causal else scores)
            heads.append(weights / weights.sum(-1, keepdims=True) @ three)
        return linear(np.concatenate(heads, -1), f"{name}.out_proj")

    def stack(name, x, layers, read=None):
        x = x + arrays[f"{name}.embed_positions.weight"][: len(x)]
        for layer in range(layers):
            own = f"{name}.layers.{layer}"
            h = norm(x, f"{own}.self_attn_layer_norm")
            x = x + attend(h, h, f"{own}.self_attn", read is not None)
            if read is not None:
                x = x + attend(norm(x, f"{own}.encoder_attn_layer_norm"), read, f"{own}.encoder_attn")
            x = x + linear(gelu(linear(norm(x, f"{own}.final_layer_norm"), f"{own}.fc1")), f"{own}.fc2")
        return norm(x, f"{name}.layer_norm")

    x = gelu(convolve(SOURCE[0].astype(np.float64), "model.encoder.conv1", 1))
    x = stack("model.encoder", gelu(convolve(x, "model.encoder.conv2", 2)), 1)
    table = arrays["model.decoder.embed_tokens.weight"]
    return stack("model.decoder", table[TOKENS[0]], 2, x) @ table.T


def test_the_written_arrays_compute_what_the_network_does(wrote):
    *_, arrays, logits = wrote
    found = expected(arrays)
    np.testing.assert_allclose(logits[0], found, rtol=1e-4, atol=1e-4 * np.abs(found).max())


def test_read_and_written_to_the_bit(wrote):
    folder, found, *_ = wrote
    read = published.read(folder)
    assert {key: read.network[key] for key in FIELDS} == FIELDS
    jax.tree.map(np.testing.assert_array_equal, read.variables(), found)
    again = folder.parent / "again"
    published.write(again, read.network, read.variables(), "whisper")
    one, two = (load_file(each / published.ARRAYS) for each in (folder, again))
    assert one.keys() == two.keys() and not any("k_proj.bias" in name for name in one)
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name])


def test_fresh_positions_of_sounds_are_sines(wrote):
    """Of the frequencies from 1 to 1 / 10,000, both ends among them."""
    module = Whisper(**FIELDS)
    found = run_once(lambda key: module.init(key, TOKENS, given={"source": SOURCE}, train=False))(jax.random.key(0))
    frequencies = 10_000 ** -(np.arange(6) / 5)
    angles = np.arange(4)[:, None] * frequencies
    np.testing.assert_allclose(found["params"]["sines"], np.concatenate([np.sin(angles), np.cos(angles)], 1), atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (dict(activation_function="relu"), "\"activation_function\" is 'relu', and whisper.Whisper has 'gelu'"),
        (dict(encoder_ffn_dim=24), '"encoder_ffn_dim" is 24 and "decoder_ffn_dim" is 20, and whisper.Whisper has one'),
        (dict(scale_embedding=True), '"scale_embedding" is True'),
        (dict(num_mel_bins=None), "has sizes that no network has|The arrays in"),
    ],
)
def test_what_it_does_not_compute_is_refused(wrote, tmp_path, changes, said):
    config = json.loads((wrote[0] / published.CONFIG).read_text())
    (tmp_path / published.CONFIG).write_text(json.dumps({**config, **changes}))
    if "num_mel_bins" in changes:
        del config["num_mel_bins"]
        (tmp_path / published.CONFIG).write_text(json.dumps(config))
        said = "lacks 'num_mel_bins'"
    with pytest.raises(UserError, match=said):
        published.read(tmp_path)


def test_what_lacks_and_what_nothing_reads_is_named(wrote, tmp_path):
    from safetensors.numpy import save_file

    folder = wrote[0]
    arrays = load_file(folder / published.ARRAYS)
    arrays["model.encoder.layers.0.self_attn.k_proj.bias"] = arrays.pop("model.encoder.conv1.bias")
    (tmp_path / published.CONFIG).write_text((folder / published.CONFIG).read_text())
    save_file(arrays, tmp_path / published.ARRAYS)
    with pytest.raises(
        UserError, match=r"lacks model\.encoder\.conv1\.bias and has also .*k_proj\.bias, which nothing"
    ):
        published.read(tmp_path).variables()
