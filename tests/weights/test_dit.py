"""DiT's published form: both ways of writing it, how arrays are arranged there, and what is refused."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.dit import DiT
from aigc_jax.weights import dit

FIELDS = dict(
    shape=(6, 6, 2),
    patch=3,
    width=8,
    layers=2,
    heads=2,
    positions="sines",
    label_classes=3,
    mlp_ratio=4.0,
    dropout=0.0,
    learned_variance=False,
)
ARRAYS = f"{dit.FILE}.safetensors"


def variables(**changes):
    """Of a random network."""
    module = DiT(**{**FIELDS, **changes})
    inputs, options = module.example()
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **options), jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


def write(folder, **changes):
    found = variables(**changes)
    published.write(folder, {"name": "dit.DiT", **FIELDS, **changes}, found, "dit")
    return found


def change(folder, **changes):
    file = folder / published.CONFIG
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("changes", [{}, dict(learned_variance=True, dropout=0.1), dict(patch=1, layers=1)], ids=str)
def test_what_is_written_is_read_back_to_the_bit(tmp_path, changes):
    found = write(tmp_path / "dit", **changes)
    read = published.read(tmp_path / "dit")
    assert read.network == {"name": "dit.DiT", **FIELDS, **changes}
    jax.tree.map(np.testing.assert_array_equal, read.variables(), found)


def test_arrays_are_arranged_as_pytorch_has_them(tmp_path):
    params = write(tmp_path / "dit", learned_variance=True)["params"]
    arrays = load_file(tmp_path / "dit" / ARRAYS)
    assert len(arrays) == 6 + 2 * (2 + 2 + 1 + 2 + 8 + 4)
    convolution = arrays["pos_embed.proj.weight"]
    assert convolution.shape == (8, 2, 3, 3)
    x = np.random.default_rng(1).normal(size=(3, 3, 2)).astype(np.float32)  # a patch, channels last
    np.testing.assert_allclose(
        np.einsum("ocij,ijc->o", convolution, x), x.reshape(-1) @ params["in"]["kernel"], rtol=1e-4, atol=1e-5
    )
    angles = np.linspace(0, 3, 128)
    sines, cosines = np.sin(angles), np.cos(angles)
    for block in ("transformer_blocks.0", "transformer_blocks.1"):
        name = f"{block}.norm1.emb.timestep_embedder.linear_1.weight"
        expected = np.concatenate([sines, cosines]) @ params["time_1"]["kernel"]
        np.testing.assert_allclose(arrays[name] @ np.concatenate([cosines, sines]), expected, rtol=1e-4, atol=1e-4)
        table = arrays[f"{block}.norm1.emb.class_embedder.embedding_table.weight"]
        np.testing.assert_array_equal(table, params["label"]["embedding"])
    assert arrays["proj_out_2.weight"].shape == (3 * 3 * 4, 8)
    kernel = params["blocks_1"]["attention"]["key"]["kernel"]
    np.testing.assert_array_equal(arrays["transformer_blocks.1.attn1.to_k.weight"], kernel.T)


def test_the_description_is_that_of_their_class(tmp_path):
    write(tmp_path / "dit", learned_variance=True)
    described = json.loads((tmp_path / "dit" / published.CONFIG).read_text())
    assert "model_type" not in described
    assert described["_class_name"] == "DiTTransformer2DModel"
    assert (described["in_channels"], described["out_channels"], described["sample_size"]) == (2, 4, 6)
    assert (described["num_attention_heads"], described["attention_head_dim"]) == (2, 4)


def test_files_in_parts_with_the_fixed_sines_are_read(tmp_path):
    folder = tmp_path / "dit"
    found = write(folder)
    arrays = load_file(folder / ARRAYS) | {"pos_embed.pos_embed": np.zeros((1, 4, 8), np.float32)}
    (folder / ARRAYS).unlink()
    files = {name: f"{dit.FILE}-{number % 2}.safetensors" for number, name in enumerate(arrays)}
    for file in set(files.values()):
        save_file({name: x for name, x in arrays.items() if files[name] == file}, folder / file)
    (folder / f"{ARRAYS}.index.json").write_text(json.dumps({"weight_map": files}))
    jax.tree.map(np.testing.assert_array_equal, published.read(folder).variables(), found)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"_class_name": "PixArtTransformer2DModel"}, '_class_name is "PixArtTransformer2DModel", and no format is'),
        ({"activation_fn": "geglu"}, r"\"activation_fn\" is 'geglu', and dit.DiT has 'gelu-approximate'"),
        ({"attention_bias": False}, '"attention_bias" is False, and dit.DiT has True'),
        ({"norm_eps": 1e-3}, '"norm_eps" is 0.001, and dit.DiT has 1e-06'),
        ({"out_channels": 3}, '"out_channels" is 3, and dit.DiT has 2 or 4'),
        ({"num_layers": 1}, r"has also transformer_blocks.1.*, which nothing reads"),
        ({"patch_size": 2}, "not of the sizes that its config.json has"),
        ({"num_attention_heads": "two"}, "has sizes that no network has"),
        ({"num_embeds_ada_norm": None}, "has sizes that no network has"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(tmp_path, changed, said):
    write(tmp_path / "dit")
    change(tmp_path / "dit", **changed)
    with pytest.raises(UserError, match=said):
        published.read(tmp_path / "dit").variables()


def test_blocks_with_embeddings_of_their_own_are_refused(tmp_path):
    folder = tmp_path / "dit"
    write(folder)
    arrays = load_file(folder / ARRAYS)
    arrays["transformer_blocks.1.norm1.emb.timestep_embedder.linear_2.bias"][0] += 1
    save_file(arrays, folder / ARRAYS)
    said = r"blocks\.0\.norm1.*linear_2.bias and transformer_blocks\.1.*linear_2\.bias differ, and are one array of dit"
    with pytest.raises(UserError, match=said):
        published.read(folder).variables()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (dict(positions="rotary"), "\"positions\" is 'rotary', and the format dit has 'sines' alone"),
        (dict(mlp_ratio=2.0), '"mlp_ratio" is 2.0, and the format dit has 4.0 alone'),
        (dict(context_vocabulary=9), '"context_vocabulary" is 9, and the format dit has 0 alone'),
        (dict(shape=(6, 3, 2)), r'"shape" is \(6, 3, 2\), and the format dit has square images alone'),
        (dict(label_classes=0), '"label_classes" is 0, and the format dit has networks that read labels alone'),
    ],
    ids=str,
)
def test_what_has_no_words_there_is_not_written(tmp_path, changed, said):
    with pytest.raises(ConfigError, match=said):
        write(tmp_path / "dit", **changed)
    assert not (tmp_path / "dit").exists()
