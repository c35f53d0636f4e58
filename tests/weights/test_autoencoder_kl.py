"""AutoencoderKL's published form: both ways of writing it, how arrays are arranged there, and what is refused."""

import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from aigc_jax import published
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.autoencoder_kl import AutoencoderKL
from aigc_jax.weights import autoencoder_kl

ARRAYS = f"{autoencoder_kl.FILE}.safetensors"
NAME = "autoencoder_kl.AutoencoderKL"
FIELDS = dict(
    shape=(8, 8, 3),
    channels=4,
    multipliers=(1, 3, 2),
    blocks=2,
    latent_channels=2,
    groups=2,
    parameters=1,
    middle_attention=True,
    mixing=True,
)


def variables(**changes):
    """Of a random network."""
    module = AutoencoderKL(**{**FIELDS, **changes})
    inputs, options = module.example()
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **options), jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


def write(folder, **changes):
    found = variables(**changes)
    published.write(folder, {"name": NAME, **FIELDS, **changes}, found, "autoencoder_kl")
    return found


@pytest.mark.parametrize(
    "changes",
    [{}, dict(mixing=False, middle_attention=False), dict(multipliers=(1,), shape=(3, 5, 1), blocks=1)],
    ids=["levels", "without_layers", "one_level"],
)
def test_what_is_written_is_read_back_to_the_bit(tmp_path, changes):
    found = write(tmp_path / "vae", **changes)
    read = published.read(tmp_path / "vae")
    assert read.network == {"name": NAME, **FIELDS, **changes}
    jax.tree.map(np.testing.assert_array_equal, read.variables(), found)


def test_arrays_are_arranged_as_pytorch_has_them(tmp_path):
    params = write(tmp_path / "vae")["params"]
    arrays = load_file(tmp_path / "vae" / ARRAYS)
    assert sum(x.size for x in arrays.values()) == sum(x.size for x in jax.tree.leaves(params))
    assert arrays["quant_conv.weight"].shape == (4, 4, 1, 1)
    np.testing.assert_array_equal(arrays["quant_conv.weight"][:, :, 0, 0], params["posterior"]["kernel"].T)
    np.testing.assert_array_equal(arrays["post_quant_conv.bias"], params["reading"]["bias"])
    kernel = params["decoder"]["grow_2"]["kernel"]
    np.testing.assert_array_equal(arrays["decoder.up_blocks.0.upsamplers.0.conv.weight"], kernel.transpose(3, 2, 0, 1))
    kernel = params["encoder"]["middle"]["middle_0_attention"]["out"]["kernel"]
    np.testing.assert_array_equal(arrays["encoder.mid_block.attentions.0.to_out.0.weight"], kernel.T)


def test_the_description_is_that_of_their_class(tmp_path):
    write(tmp_path / "vae", shape=(8, 16, 3))
    described = json.loads((tmp_path / "vae" / published.CONFIG).read_text())
    assert described["_class_name"] == "AutoencoderKL" and "model_type" not in described
    assert described["sample_size"] == [8, 16]
    assert described["block_out_channels"] == [4, 12, 8]
    assert described["down_block_types"] == ["DownEncoderBlock2D"] * 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"act_fn": "relu"}, "\"act_fn\" is 'relu', and autoencoder_kl.AutoencoderKL has 'silu'"),
        ({"out_channels": 4}, '"out_channels" is 4, and autoencoder_kl.AutoencoderKL has 3'),
        ({"use_post_quant_conv": False}, '"use_post_quant_conv" is False, and autoencoder_kl.AutoencoderKL has True'),
        ({"down_block_types": ["AttnDownEncoderBlock2D"] * 3}, r'"down_block_types" is \[\'AttnDown.*has \[\'DownEnc'),
        ({"block_out_channels": [4, 6, 8]}, r'"block_out_channels" is \(4, 6, 8\), and .* has multiples of the first'),
        ({"mid_block_add_attention": False}, "has also decoder.mid_block.attentions.0.*, which nothing reads"),
        ({"norm_num_groups": None}, "has sizes that no network has"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(tmp_path, changed, said):
    folder = tmp_path / "vae"
    write(folder)
    file = folder / published.CONFIG
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))
    with pytest.raises(UserError, match=said):
        published.read(folder).variables()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (dict(parameters=2), '"parameters" is 2, and the format autoencoder_kl has 1'),
        (dict(multipliers=(2, 2)), r'"multipliers" begins with 2, and the format autoencoder_kl with 1'),
    ],
    ids=str,
)
def test_what_has_no_words_there_is_not_written(tmp_path, changed, said):
    with pytest.raises(ConfigError, match=said):
        published.write(tmp_path / "vae", {"name": NAME, **FIELDS, **changed}, {}, "autoencoder_kl")
    assert not (tmp_path / "vae").exists()
