"""The autoencoder against `AutoencoderKL` of Hugging Face's diffusers, with random weights, in both directions."""

import jax
import numpy as np
import pytest

from aigc_jax import published
from aigc_jax.nn.autoencoder_kl import AutoencoderKL

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

# Height, width and channels of images; channels of the levels; whatever else.
CASES = {
    "stable_diffusion": ((16, 16, 3), (8, 16, 32, 32), dict(layers_per_block=2)),
    "grey_to_odd_sides": ((12, 20, 1), (8, 16, 8), dict(latent_channels=3)),
    "without_layers_at_the_map": ((4, 6, 3), (8, 16), dict(use_quant_conv=False, use_post_quant_conv=False)),
    "one_level_without_attention": ((5, 3, 2), (8,), dict(mid_block_add_attention=False, latent_channels=1)),
}


def peer(case):
    """Random weights of the size that trained ones have, biases and scales included."""
    shape, widths, more = CASES[case]
    torch.manual_seed(0)
    network = diffusers.AutoencoderKL(
        sample_size=shape[0] if shape[0] == shape[1] else shape[:2],
        in_channels=shape[2],
        out_channels=shape[2],
        block_out_channels=widths,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        norm_num_groups=4,
        **more,
    ).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


def ours(folder):
    found = published.read(folder)
    return AutoencoderKL(**{key: value for key, value in found.network.items() if key != "name"}), found


def close(found, expected, name):
    """Within a share of the largest value, and not for lack of values."""
    size = np.abs(expected).max()
    apart = np.abs(np.asarray(found) - expected).max() / size
    print(f"{name} {apart:.1e} of {size:.2f}")
    assert size > 0.1
    assert found.shape == expected.shape
    assert apart <= 1e-4


@torch.inference_mode()
def both_ways(theirs, module, variables):
    """Images to the two parts of the posterior, and random latents to images."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, *module.shape)).astype(np.float32)
    z = rng.normal(size=(3, *module.latent_shape)).astype(np.float32)

    def last(y):
        return y.numpy().transpose(0, 2, 3, 1)

    def run(v):
        return module.apply(v, x, method="encode"), module.apply(v, z.reshape(3, -1), method="decode")

    (mean, log_variance), images = jax.jit(run)(variables)
    posterior = theirs.encode(torch.tensor(x.transpose(0, 3, 1, 2))).latent_dist
    close(mean, last(posterior.mean).reshape(3, -1), "mean")
    close(log_variance, last(posterior.logvar).reshape(3, -1), "log variance")
    close(images[..., 0], last(theirs.decode(torch.tensor(z.transpose(0, 3, 1, 2))).sample), "images")


@pytest.mark.parametrize("case", CASES)
def test_outputs_of_their_weights_and_theirs_of_ours(tmp_path, case):
    theirs = peer(case)
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    variables = found.variables()
    both_ways(theirs, module, variables)

    published.write(tmp_path / "ours", found.network, variables, "autoencoder_kl")
    again = diffusers.AutoencoderKL.from_pretrained(tmp_path / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    jax.tree.map(np.testing.assert_array_equal, variables, ours(tmp_path / "ours")[1].variables())


def test_weights_that_we_made_compute_the_same_there(tmp_path):
    fields = dict(shape=(8, 4, 3), channels=8, multipliers=(1, 2), blocks=1, latent_channels=2, groups=2, parameters=1)
    module = AutoencoderKL(**fields)
    inputs, options = module.example()
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **options), jax.random.key(0))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32) / 8, shapes)
    network = {"name": "autoencoder_kl.AutoencoderKL", **fields}
    published.write(tmp_path / "ours", network, variables, "autoencoder_kl")
    both_ways(diffusers.AutoencoderKL.from_pretrained(tmp_path / "ours").eval(), module, variables)
