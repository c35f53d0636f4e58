"""GPT-2's published form: what NumPy computes from its arrays, and both ways of writing them."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.transformer import Transformer

FIELDS = dict(vocabulary=11, length=8, layers=2, width=12, heads=3, dropout=0.0, tied=True)
TOKENS = np.array([[3, 1, 4, 1, 5, 9], [2, 6, 5, 3, 5, 8]], np.int32)


def variables(**changes):
    """Of a random network whose biases and scales are not what they begin as."""
    module = Transformer(**{**FIELDS, **changes})
    found = module.init(jax.random.key(0), TOKENS, causal=True, train=False)
    keys = jax.random.split(jax.random.key(1), len(jax.tree.leaves(found)))
    keys = jax.tree.unflatten(jax.tree.structure(found), keys)
    return module, jax.tree.map(lambda x, key: x + 0.2 * jax.random.normal(key, x.shape), found, keys)


def write(folder, **changes):
    module, found = variables(**changes)
    network = {"name": "transformer.Transformer", **FIELDS, **changes}
    published.write(folder, network, found, "gpt2")
    return module, found


def norm(x, arrays, name):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return x * arrays[f"{name}.weight"] + arrays[f"{name}.bias"]


def linear(x, arrays, name):
    return x @ arrays[f"{name}.weight"] + arrays[f"{name}.bias"]


def logits(arrays, tokens, heads):
    """The paper's network on its published arrays, in float64."""
    arrays = {name.removeprefix("transformer."): x.astype(np.float64) for name, x in arrays.items()}
    x = arrays["wte.weight"][tokens] + arrays["wpe.weight"][: len(tokens)]
    for layer in range(FIELDS["layers"]):
        h = f"h.{layer}"
        queries, keys, values = np.split(linear(norm(x, arrays, f"{h}.ln_1"), arrays, f"{h}.attn.c_attn"), 3, -1)
        read = []
        for q, k, v in zip(*(np.split(part, heads, -1) for part in (queries, keys, values)), strict=True):
            scores = np.where(np.tri(len(tokens)) > 0, q @ k.T / np.sqrt(k.shape[-1]), -np.inf)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            read.append(weights / weights.sum(-1, keepdims=True) @ v)
        x = x + linear(np.concatenate(read, -1), arrays, f"{h}.attn.c_proj")
        hidden = linear(norm(x, arrays, f"{h}.ln_2"), arrays, f"{h}.mlp.c_fc")
        hidden = 0.5 * hidden * (1 + np.tanh(math.sqrt(2 / math.pi) * (hidden + 0.044715 * hidden**3)))
        x = x + linear(hidden, arrays, f"{h}.mlp.c_proj")
    return norm(x, arrays, "ln_f") @ arrays.get("lm_head.weight", arrays["wte.weight"]).T


@pytest.mark.parametrize("tied", [True, False])
def test_the_written_arrays_compute_what_the_network_does(tmp_path, tied):
    module, found = write(tmp_path / "gpt2", tied=tied)
    arrays = load_file(tmp_path / "gpt2" / "model.safetensors")
    assert ("lm_head.weight" in arrays) is not tied
    ours = module.apply(found, TOKENS, causal=True, train=False)
    for row, tokens in zip(ours, TOKENS, strict=True):
        np.testing.assert_allclose(row, logits(arrays, tokens, FIELDS["heads"]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("tied", [True, False])
def test_what_is_written_is_read_back_to_the_bit(tmp_path, tied):
    _, found = write(tmp_path / "gpt2", tied=tied)
    read = published.read(tmp_path / "gpt2")
    assert read.network == {"name": "transformer.Transformer", **FIELDS, "tied": tied}
    jax.tree.map(np.testing.assert_array_equal, read.variables(), jax.device_get(found))


def test_names_without_prefix_buffers_and_parts_are_read(tmp_path):
    """As the first published files have them, and large ones."""
    folder = tmp_path / "gpt2"
    _, found = write(folder)
    arrays = {name.removeprefix("transformer."): x for name, x in load_file(folder / published.ARRAYS).items()}
    arrays |= {"h.0.attn.bias": np.tri(8, dtype=np.float32)[None, None], "lm_head.weight": arrays["wte.weight"]}
    (folder / published.ARRAYS).unlink()
    files = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(arrays)}
    for file in set(files.values()):
        save_file({name: x for name, x in arrays.items() if files[name] == file}, folder / file)
    (folder / published.PARTS).write_text(json.dumps({"weight_map": files}))
    jax.tree.map(np.testing.assert_array_equal, published.read(folder).variables(), jax.device_get(found))


def test_half_precision_is_read_as_single(tmp_path):
    folder = tmp_path / "gpt2"
    write(folder)
    arrays = load_file(folder / published.ARRAYS)
    save_file({name: x.astype(jnp.bfloat16) for name, x in arrays.items()}, folder / published.ARRAYS)
    embedding = published.read(folder).variables()["params"]["embedding"]["embedding"]
    assert embedding.dtype == np.float32
    np.testing.assert_array_equal(embedding, arrays["transformer.wte.weight"].astype(jnp.bfloat16).astype(np.float32))


def config(folder, **changes):
    file = folder / published.CONFIG
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"model_type": "bloom"},
            r'config.json: model_type is "bloom", and no format is. Known: aigc_jax, autoencoder_kl, .*gpt2, ',
        ),
        ({"activation_function": "relu"}, r'"activation_function" is \'relu\', and transformer.Transformer has'),
        ({"n_inner": 7}, r'"n_inner" is 7, and transformer.Transformer has 48'),
        ({"n_layer": 3}, r"lacks transformer.h.2.ln_1.weight, transformer.h.2.ln_1.bias, .*c_proj.bias\.$"),
        ({"n_layer": 1}, r"has also transformer.h.1.attn.c_attn.bias, .*c_proj.weight, which nothing reads\.$"),
        ({"tie_word_embeddings": False}, r"lacks lm_head.weight\."),
        ({"n_head": 0}, r"config.json has sizes that no network has: integer division or modulo by zero"),
        ({"n_layer": "two"}, r"config.json has sizes that no network has: "),
        ({"model_type": "aigc_jax"}, r"config.json does not say what network it is of"),
        ({"n_embd": 18}, r"not of the sizes that its config.json has: cannot reshape array of size 432"),
    ],
)
def test_what_does_not_fit_is_named_with_all_of_it(tmp_path, change, said):
    write(tmp_path / "gpt2")
    config(tmp_path / "gpt2", **change)
    with pytest.raises(UserError, match=said):
        published.read(tmp_path / "gpt2").variables()


def test_a_folder_without_weights_and_a_network_of_another_kind_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"There is no .*config.json: a folder of weights has one"):
        published.read(tmp_path)
    write(tmp_path / "gpt2")
    (tmp_path / "gpt2" / published.ARRAYS).rename(tmp_path / "gpt2" / "pytorch_model.bin")
    with pytest.raises(UserError, match="only weights in safetensors are read"):
        published.read(tmp_path / "gpt2").variables()
    with pytest.raises(UserError, match="gpt2 is the format of transformer.Transformer, and the network is mlp.VAE"):
        published.write(tmp_path / "other", {"name": "mlp.VAE"}, {}, "gpt2")
    with pytest.raises(UserError, match="is there already"):
        published.write(tmp_path / "gpt2", {"name": "mlp.VAE"}, {})


def test_what_cannot_be_read_is_named(tmp_path):
    folder = tmp_path / "gpt2"
    write(folder)
    whole = (folder / published.ARRAYS).read_bytes()
    (folder / published.ARRAYS).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model.safetensors cannot be read: "):
        published.read(folder).variables()
    (folder / published.PARTS).write_text("{}")
    with pytest.raises(UserError, match=r'model.safetensors.index.json has no "weight_map"'):
        published.read(folder).variables()
    for text, said in (("[]", "holds no object of JSON"), ("{", "config.json cannot be read"), ("{}", '"None"')):
        (folder / published.CONFIG).write_text(text)
        with pytest.raises(UserError, match=said):
            published.read(folder)
    config = {"model_type": "gpt2"}
    (folder / published.CONFIG).write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config.json lacks 'n_embd', which the one of a gpt2 has"):
        published.read(folder)
