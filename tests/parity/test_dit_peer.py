"""DiT against `DiTTransformer2DModel` of Hugging Face's diffusers, with random weights, in both directions."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aigc_jax import published
from aigc_jax.errors import UserError
from aigc_jax.nn.dit import DiT

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

CLASSES, ROWS = 5, 3
TIMES = np.array([0, 7, 999], np.int32)
LABELS = np.array([4, 0, CLASSES], np.int32)  # the last is theirs for no label
SIZES = [  # side, channels, patch, heads, features of a head, blocks
    (8, 4, 2, 4, 12, 3),
    (6, 3, 1, 2, 8, 2),
    (9, 1, 3, 3, 4, 1),
    (20, 2, 4, 1, 16, 2),
    (5, 2, 5, 2, 6, 2),  # one patch
]


def peer(side, channels, patch, heads, features, blocks, **settings):
    """Random weights of the size that trained ones have, biases included; one embedding of time and label."""
    torch.manual_seed(0)
    sizes = dict(sample_size=side, in_channels=channels, patch_size=patch, num_layers=blocks)
    sizes |= dict(num_attention_heads=heads, attention_head_dim=features, num_embeds_ada_norm=CLASSES)
    network = diffusers.DiTTransformer2DModel(**sizes, **{"norm_eps": 1e-6, **settings}).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        first = network.transformer_blocks[0].norm1.emb.state_dict()
        for block in network.transformer_blocks:
            block.norm1.emb.load_state_dict(first)
    return network


def ours(folder):
    found = published.read(folder)
    return DiT(**{key: value for key, value in found.network.items() if key != "name"}), found


def said(network):
    """What makes a network; keys with an underscore are of the library."""
    return {key: value for key, value in network.config.items() if not key.startswith("_")}


def outputs(theirs, module, variables):
    """(ours, theirs) of the same images, times and labels; the label of the last row is not kept."""
    x = np.random.default_rng(0).normal(size=(ROWS, *module.shape)).astype(np.float32)
    with torch.inference_mode():
        given = torch.tensor(x.transpose(0, 3, 1, 2)), torch.tensor(TIMES), torch.tensor(LABELS).long()
        expected = theirs(*given).sample.numpy().transpose(0, 2, 3, 1)
    given, kept = {"label": jnp.asarray(np.minimum(LABELS, CLASSES - 1))}, jnp.array([True, True, False])
    return module.apply(variables, x, TIMES, given, kept, train=False, variance=True), expected


def close(found, expected, most=1e-4):
    """Within a share of the largest value, and not for lack of values."""
    size = np.abs(expected).max()
    apart = np.abs(np.asarray(found) - expected).max() / size
    print(f"{apart:.1e} of {size:.2f}")
    assert size > 0.1
    assert found.shape == expected.shape
    assert apart <= most


@pytest.mark.parametrize("doubled", [False, True], ids=["images", "and_variances"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_outputs_of_their_weights_and_theirs_of_ours(tmp_path, size, doubled):
    theirs = peer(*size, out_channels=size[1] * (2 if doubled else 1))
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    variables = found.variables()
    both, expected = outputs(theirs, module, variables)
    assert module.learned_variance is doubled
    close(both, expected)

    published.write(tmp_path / "ours", found.network, variables, "dit")
    again = diffusers.DiTTransformer2DModel.from_pretrained(tmp_path / "ours").eval()
    assert said(again) == said(theirs)
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    jax.tree.map(np.testing.assert_array_equal, variables, ours(tmp_path / "ours")[1].variables())


def test_weights_that_we_made_compute_the_same_there(tmp_path):
    fields = dict(shape=(8, 8, 3), patch=2, width=24, layers=2, heads=3, positions="sines", label_classes=CLASSES)
    module = DiT(**fields)
    inputs, options = module.example()
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **options), jax.random.key(0))
    variables = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32) / 4, shapes)
    published.write(tmp_path / "ours", {"name": "dit.DiT", **fields}, variables, "dit")
    theirs = diffusers.DiTTransformer2DModel.from_pretrained(tmp_path / "ours").eval()
    close(*outputs(theirs, module, variables))


def test_the_epsilon_of_published_files_moves_little(tmp_path):
    """Theirs normalises with 1e-5 before the MLP, as the files say, and ours with 1e-6."""
    theirs = peer(*SIZES[0], norm_eps=1e-5)
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    both, expected = outputs(theirs, module, found.variables())
    _, of_ours = outputs(peer(*SIZES[0]), module, found.variables())
    close(both, expected)
    assert 1e-7 < np.abs(of_ours - expected).max() / np.abs(expected).max() < 2e-5


def test_blocks_with_embeddings_of_their_own_are_refused(tmp_path):
    theirs = peer(*SIZES[0])
    with torch.no_grad():
        theirs.transformer_blocks[1].norm1.emb.timestep_embedder.linear_2.bias.add_(1)
    theirs.save_pretrained(tmp_path / "theirs")
    with pytest.raises(UserError, match=r"blocks.0.norm1.emb.*linear_2.bias and .*blocks.1.norm1.*linear_2.bias diff"):
        ours(tmp_path / "theirs")[1].variables()


def test_files_of_the_older_class_are_read(tmp_path):
    theirs = peer(*SIZES[1])
    theirs.save_pretrained(tmp_path / "theirs")
    file = tmp_path / "theirs" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "_class_name": "Transformer2DModel"}))
    module, found = ours(tmp_path / "theirs")
    close(*outputs(theirs, module, found.variables()))
