"""The transformer against GPT-2 of Hugging Face's transformers, with random weights, in both directions."""

import jax
import numpy as np
import pytest

from aigc_jax import published
from aigc_jax.nn.transformer import Transformer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = dict(vocab_size=97, n_positions=32, n_layer=3, n_embd=48, n_head=4)
TOKENS = np.random.RandomState(0).randint(0, 97, (4, 32)).astype(np.int32)


def peer(kind="GPT2LMHeadModel", **settings):
    """Random weights of the size that trained ones have, biases and scales included."""
    torch.manual_seed(0)
    network = getattr(transformers, kind)(transformers.GPT2Config(**SIZES, **settings)).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


def ours(folder):
    found = published.read(folder)
    fields = {key: value for key, value in found.network.items() if key != "name"}
    return Transformer(**fields), found


def close(found, expected):
    """As far apart as float32 makes them."""
    apart = np.abs(np.asarray(found) - expected).max()
    print(f"{apart:.2e} of {np.abs(expected).max():.2f}")
    assert apart <= 1e-4


@torch.inference_mode()
@pytest.mark.parametrize("tied", [True, False])
def test_logits_of_their_weights_and_theirs_of_ours(tmp_path, tied):
    theirs = peer(tie_word_embeddings=tied)
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    variables = found.variables()
    expected = theirs(torch.from_numpy(TOKENS).long()).logits.numpy()
    close(module.apply(variables, TOKENS, causal=True, train=False), expected)

    published.write(tmp_path / "ours", found.network, variables, "gpt2")
    again = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    jax.tree.map(np.testing.assert_array_equal, variables, ours(tmp_path / "ours")[1].variables())


@torch.inference_mode()
def test_a_model_without_an_output_layer_has_the_tied_one(tmp_path):
    theirs = peer("GPT2Model")
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    hidden = theirs(torch.from_numpy(TOKENS).long()).last_hidden_state
    expected = (hidden @ theirs.wte.weight.T).numpy()
    close(module.apply(found.variables(), TOKENS, causal=True, train=False), expected)


@torch.inference_mode()
def test_drawing_token_by_token_agrees(tmp_path):
    theirs = peer()
    theirs.save_pretrained(tmp_path / "theirs")
    module, found = ours(tmp_path / "theirs")
    cache, rows, variables = module.empty_cache(4, 32), [], found.variables()
    for index in range(8):
        logits, cache = module.apply(variables, TOKENS[:, index : index + 1], cache, index, method="decode")
        rows.append(logits)
    close(np.concatenate(rows, 1), theirs(torch.from_numpy(TOKENS[:, :8]).long()).logits.numpy())
