"""UNet2DModel's published form: both ways of writing it, how arrays are arranged there, and what is refused."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.nn.unet import UNet
from aigc_jax.weights import unet2d

ARRAYS = f"{unet2d.FILE}.safetensors"
FIELDS = dict(
    channels=4,
    multipliers=(1, 3, 2),
    blocks=2,
    attention=(1,),
    dropout=0.0,
    groups=2,
    label_classes=0,
    attention_by="level",
    middle_attention=True,
    head_width=0,
    modulation=False,
    resampling="convolution",
    learned_variance=False,
    frequency_shift=1,
    cosines_first=False,
    border="after",
    epsilon=1e-6,
    shape=(8, 8, 3),
)
ADM = dict(
    blocks=1, attention=(1, 2), label_classes=5, head_width=4, modulation=True, resampling="block",
    learned_variance=True, frequency_shift=0, cosines_first=True, epsilon=1e-5,
)  # fmt: skip


def variables(**changes):
    """Of a random network."""
    module = UNet(**{**FIELDS, **changes})
    given = {"label": jnp.zeros(1, jnp.int32)} if module.label_classes else None
    x = jnp.zeros((1, *(side or size for side, size in zip(module.shape, (8, 8, 3), strict=True))))
    shapes = jax.eval_shape(lambda key: module.init(key, x, jnp.zeros(1), given, train=False), jax.random.key(0))
    rng = np.random.default_rng(0)
    return jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), shapes)


def write(folder, **changes):
    found = variables(**changes)
    published.write(folder, {"name": "unet.UNet", **FIELDS, **changes}, found, "unet2d")
    return found


def described(folder):
    return json.loads((folder / published.CONFIG).read_text())


def change(folder, **changes):
    (folder / published.CONFIG).write_text(json.dumps({**described(folder), **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        ADM,
        dict(ADM, border="before", shape=(8, 16, 1), middle_attention=False),
        dict(multipliers=(1,), attention=(0,), shape=(0, 0, 2), dropout=0.3),
        dict(multipliers=(1, 1), attention=(), middle_attention=False, blocks=1),
    ],
    ids=["ddpm", "adm", "adm_grey", "one_level", "no_attention"],
)
def test_what_is_written_is_read_back_to_the_bit(tmp_path, changes):
    found = write(tmp_path / "unet", **changes)
    read = published.read(tmp_path / "unet")
    assert read.network == {"name": "unet.UNet", **FIELDS, **changes}
    jax.tree.map(np.testing.assert_array_equal, read.variables(), found)


def test_the_description_is_that_of_their_class(tmp_path):
    write(tmp_path / "unet", **ADM)
    found = described(tmp_path / "unet")
    assert "model_type" not in found
    assert found["_class_name"] == "UNet2DModel"
    assert (found["in_channels"], found["out_channels"], found["sample_size"]) == (3, 6, 8)
    assert found["block_out_channels"] == [4, 12, 8]
    assert found["down_block_types"] == ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"]
    assert found["up_block_types"] == ["AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"]
    assert (found["attention_head_dim"], found["num_class_embeds"]) == (4, 5)


def test_arrays_tell_the_levels_of_attention_and_the_channels_of_images(tmp_path):
    found = write(tmp_path / "unet", attention=(4,), attention_by="height", shape=(0, 0, 0))
    read = published.read(tmp_path / "unet")
    assert read.network == {"name": "unet.UNet", **FIELDS, "attention": (1,), "shape": (0, 0, 3)}
    assert described(tmp_path / "unet")["sample_size"] is None
    jax.tree.map(np.testing.assert_array_equal, read.variables(), found)


def test_arrays_are_arranged_as_pytorch_has_them(tmp_path):
    params = write(tmp_path / "unet", **ADM)["params"]
    arrays = load_file(tmp_path / "unet" / ARRAYS)
    assert sum(x.size for x in arrays.values()) == sum(x.size for x in jax.tree.leaves(params))
    kernel = arrays["down_blocks.1.resnets.0.conv1.weight"]
    assert kernel.shape == (12, 4, 3, 3)
    x = np.random.default_rng(1).normal(size=(3, 3, 4)).astype(np.float32)  # a neighbourhood, channels last
    ours = np.einsum("ijc,ijco->o", x, params["down_1_0"]["Conv_0"]["kernel"])
    np.testing.assert_allclose(np.einsum("ocij,ijc->o", kernel, x), ours, rtol=1e-4, atol=1e-5)
    shortcut = arrays["up_blocks.0.resnets.1.conv_shortcut.weight"]
    assert shortcut.shape == (8, 8 + 12, 1, 1)
    np.testing.assert_array_equal(shortcut[:, :, 0, 0], params["up_2_1"]["shortcut"]["kernel"].T)
    time = arrays["up_blocks.2.resnets.0.time_emb_proj.weight"]
    np.testing.assert_array_equal(time, params["up_0_0"]["Dense_0"]["kernel"].T)
    assert time.shape == (2 * 4, 16)
    halving = arrays["down_blocks.1.downsamplers.0.conv2.bias"]
    np.testing.assert_array_equal(halving, params["shrink_2"]["Conv_1"]["bias"])
    np.testing.assert_array_equal(arrays["class_embedding.weight"], params["label"]["embedding"])


def test_older_names_of_attention_are_read(tmp_path):
    folder = tmp_path / "unet"
    found = write(folder)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    arrays = {
        re.sub(r"\.(to_q|to_k|to_v|to_out\.0)\.", lambda m: f".{old[m[1]]}.", name): x
        for name, x in load_file(folder / ARRAYS).items()
    }
    assert "mid_block.attentions.0.proj_attn.weight" in arrays
    save_file(arrays, folder / ARRAYS)
    jax.tree.map(np.testing.assert_array_equal, published.read(folder).variables(), found)


def test_what_a_file_leaves_out_is_as_theirs_has_it(tmp_path):
    write(tmp_path / "unet", channels=8, multipliers=(1, 2))
    kept = ("_class_name", "block_out_channels", "down_block_types", "up_block_types")
    short = {key: value for key, value in described(tmp_path / "unet").items() if key in kept}
    fields = unet2d.fields(short)
    assert (fields["groups"], fields["head_width"], fields["epsilon"], fields["blocks"]) == (32, 8, 1e-5, 2)
    assert (fields["frequency_shift"], fields["cosines_first"], fields["border"]) == (0, True, "before")
    assert fields["shape"] == (0, 0, 3)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"act_fn": "gelu"}, r"\"act_fn\" is 'gelu', and unet.UNet has 'silu' or 'swish'"),
        ({"time_embedding_type": "fourier"}, "\"time_embedding_type\" is 'fourier', and unet.UNet has 'positional'"),
        ({"class_embed_type": "timestep"}, "\"class_embed_type\" is 'timestep', and unet.UNet has None"),
        ({"center_input_sample": True}, '"center_input_sample" is True'),
        ({"mid_block_scale_factor": 1.5}, '"mid_block_scale_factor" is 1.5, and unet.UNet has 1'),
        ({"mid_block_type": None}, '"mid_block_type" is None'),
        ({"resnet_time_scale_shift": "spatial"}, "\"resnet_time_scale_shift\" is 'spatial'"),
        ({"upsample_type": "resnet"}, "\"upsample_type\" is 'resnet', and unet.UNet has 'conv'"),
        ({"time_embedding_dim": 7}, '"time_embedding_dim" is 7, and unet.UNet has None or 16'),
        ({"out_channels": 4}, '"out_channels" is 4, and unet.UNet has 3 or 6'),
        ({"block_out_channels": [4, 6, 8]}, r'"block_out_channels" is \(4, 6, 8\), and unet.UNet has multiples'),
        ({"attn_norm_num_groups": 4}, '"attn_norm_num_groups" is 4, and unet.UNet has 2 or None'),
        (
            {"attn_norm_num_groups": None, "resnet_time_scale_shift": "scale_shift"},
            '"attn_norm_num_groups" is None, and unet.UNet has 2',
        ),
        ({"attention_head_dim": 5}, '"attention_head_dim" is 5, and divides not the channels'),
        ({"down_block_types": ["DownBlock2D"] * 3}, '"up_block_types" is .* attention as on the way down'),
        ({"down_block_types": ["DownBlock2D"]}, '"down_block_types" has 1 blocks, and "block_out_channels" has 3'),
        ({"up_block_types": ["SkipUpBlock2D"] * 3}, '"up_block_types" has "SkipUpBlock2D", and unet.UNet has "UpBl'),
        (
            {"down_block_types": ["ResnetDownsampleBlock2D", "AttnDownBlock2D", "DownBlock2D"]},
            '"down_block_types" has "ResnetDownsampleBlock2D", and unet.UNet has "DownBlock2D"',
        ),
        ({"layers_per_block": 1}, r"has also down_blocks.0.resnets.1.*, which nothing reads"),
        ({"num_class_embeds": 3}, "it lacks class_embedding.weight"),
        ({"layers_per_block": "two"}, "has sizes that no network has"),
        ({"_class_name": "UNet2DConditionModel"}, '_class_name is "UNet2DConditionModel", and no format is'),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(written, tmp_path, changed, said):
    folder = tmp_path / "unet"
    folder.mkdir()
    (folder / ARRAYS).symlink_to(written / ARRAYS)
    (folder / published.CONFIG).write_text((written / published.CONFIG).read_text())
    change(folder, **changed)
    with pytest.raises(UserError, match=said):
        published.read(folder).variables()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "unet"
    write(folder)
    return folder


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (dict(patch=2, multipliers=(1, 2)), '"patch" is 2, and the format unet2d has 1 alone'),
        (dict(rescale=True), '"rescale" is True, and the format unet2d has False alone'),
        (dict(multipliers=(2, 2), attention=()), r'"multipliers" is \(2, 2\), and the format unet2d begins with 1'),
    ],
    ids=str,
)
def test_what_has_no_words_there_is_not_written(tmp_path, changed, said):
    with pytest.raises(ConfigError, match=said):
        write(tmp_path / "unet", **changed)
    assert not (tmp_path / "unet").exists()
