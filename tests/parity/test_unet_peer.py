"""The U-Net against `UNet2DModel` of Hugging Face's diffusers, with random weights, in both directions."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.nn.unet import UNet
from aigc_jax.weights import unet2d

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

CLASSES = 3
TIMES = np.array([0, 7.5, 999], np.float32)
LABELS = np.array([2, 0, 1], np.int32)
PLAIN, ATTENTIVE = "{}Block2D", "Attn{}Block2D"
# Height, width and channels of images; channels of the levels; levels with attention; whatever else.
DDPM = dict(freq_shift=1, flip_sin_to_cos=False, norm_eps=1e-6, attention_head_dim=None, downsample_padding=0)
ADM = dict(resnet_time_scale_shift="scale_shift", downsample_type="resnet", upsample_type="resnet")
ADM |= dict(attention_head_dim=4, attn_norm_num_groups=4)
CASES = {
    "ddpm": ((8, 8, 3), (8, 16, 16), (1,), DDPM),
    "their_defaults": ((8, 8, 3), (8, 16), (1,), {}),
    "adm": ((12, 8, 3), (8, 16, 24), (1, 2), dict(**ADM, num_class_embeds=CLASSES, out_channels=6)),
    "adm_grey_to_odd_sides": ((12, 20, 1), (8, 16, 8), (0,), dict(**ADM, norm_eps=1e-6, layers_per_block=1)),
    "classes_and_shifts": ((4, 6, 1), (8, 24), (0, 1), dict(num_class_embeds=CLASSES, freq_shift=1, dropout=0.3)),
    "no_attention": ((14, 28, 2), (8, 8), (), dict(add_attention=False, flip_sin_to_cos=False, layers_per_block=1)),
    "one_level": ((5, 3, 1), (8,), (0,), dict(attention_head_dim=2)),
    "scales_by_convolutions": (
        (4, 4, 3),
        (8, 16),
        (),
        dict(resnet_time_scale_shift="scale_shift", add_attention=False),
    ),
}


def settings(case):
    shape, widths, levels, more = CASES[case]
    plain = "Resnet{}sampleBlock2D" if more.get("downsample_type") == "resnet" else PLAIN
    types = [ATTENTIVE if level in levels else plain for level in range(len(widths))]
    return dict(
        sample_size=shape[:2],
        in_channels=shape[2],
        block_out_channels=widths,
        down_block_types=tuple(name.format("Down") for name in types),
        up_block_types=tuple(name.format("Up") for name in types[::-1]),
        norm_num_groups=4,
        **{"out_channels": shape[2], **more},
    )


def peer(case, **changes):
    """Random weights of the size that trained ones have, biases and scales included."""
    torch.manual_seed(0)
    network = diffusers.UNet2DModel(**{**settings(case), **changes}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


def ours(folder):
    found = published.read(folder)
    return UNet(**{key: value for key, value in found.network.items() if key != "name"}), found


def close(theirs, module, variables, shape=None):
    """Of the same images, times and labels, within a share of the largest value, and not for lack of values."""
    x = np.random.default_rng(0).normal(size=(3, *(shape or module.shape))).astype(np.float32)
    labels = LABELS if module.label_classes else None
    with torch.inference_mode():
        read = None if labels is None else torch.tensor(labels).long()
        expected = theirs(torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(TIMES), read).sample.numpy()
    given = None if labels is None else {"label": jnp.asarray(labels)}
    found = jax.jit(lambda v: module.apply(v, x, TIMES, given, train=False, variance=True))(variables)
    expected = expected.transpose(0, 2, 3, 1)
    size = np.abs(expected).max()
    apart = np.abs(np.asarray(found) - expected).max() / size
    print(f"{apart:.1e} of {size:.2f}")
    assert size > 0.1
    assert found.shape == expected.shape
    assert apart <= 1e-4


@pytest.mark.parametrize("case", CASES)
def test_outputs_of_their_weights_and_theirs_of_ours(tmp_path, case):
    theirs = peer(case)
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    variables = found.variables()
    close(theirs, module, variables)

    published.write(tmp_path / "ours", found.network, variables, "unet2d")
    again = diffusers.UNet2DModel.from_pretrained(tmp_path / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    said, back = (json.loads(network.to_json_string()) for network in (theirs, again))
    differing = {key for key, value in said.items() if key[0] != "_" and back[key] != value}
    assert differing <= {"attn_norm_num_groups", "sample_size"}, differing  # the same in other words
    jax.tree.map(np.testing.assert_array_equal, variables, ours(tmp_path / "ours")[1].variables())


def test_weights_that_we_made_compute_the_same_there(tmp_path):
    """A network of ours before training elsewhere, with attention by height."""
    fields = dict(channels=8, multipliers=(1, 2), blocks=1, attention=(4,), dropout=0.0, groups=4, label_classes=0)
    fields |= dict(shape=(8, 4, 3))
    module = UNet(**fields)
    shapes = jax.eval_shape(
        lambda key: module.init(key, jnp.zeros((1, *module.shape)), jnp.zeros(1), train=False), jax.random.key(0)
    )
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32) / 4, shapes)
    published.write(tmp_path / "ours", {"name": "unet.UNet", **fields}, variables, "unet2d")
    close(diffusers.UNet2DModel.from_pretrained(tmp_path / "ours").eval(), module, variables)


def test_images_of_other_sizes_than_the_file_says(tmp_path):
    theirs = peer("ddpm", sample_size=None)
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    assert module.shape == (0, 0, 3)
    close(theirs, module, found.variables(), (12, 4, 3))


def test_older_names_of_attention_are_read_as_they_read_them(tmp_path):
    theirs = peer("one_level")
    folder = tmp_path / "theirs"
    theirs.save_pretrained(folder)
    file = folder / f"{unet2d.FILE}.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    arrays = {}
    for name, x in load_file(file).items():
        arrays[re.sub(r"\.(to_q|to_k|to_v|to_out\.0)\.", lambda m: f".{old[m[1]]}.", name)] = x
    assert any("proj_attn" in name for name in arrays)
    save_file(arrays, file, metadata={"format": "pt"})
    module, found = ours(folder)
    close(diffusers.UNet2DModel.from_pretrained(folder).eval(), module, found.variables())
