"""Transformers in the layouts of Llama and Qwen against Hugging Face's transformers, with random weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from apart import close

from aigc_jax import published
from aigc_jax.nn.transformer import Transformer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = dict(
    vocab_size=97,
    max_position_embeddings=32,
    num_hidden_layers=3,
    hidden_size=48,
    num_attention_heads=4,
    intermediate_size=80,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=None,
)
LAYOUTS = {
    "llama": ("Llama", dict(num_key_value_heads=4, rms_norm_eps=1e-6)),
    "llama grouped, tied": ("Llama", dict(num_key_value_heads=2, tie_word_embeddings=True)),
    "llama one head": ("Llama", dict(num_key_value_heads=1, head_dim=16)),
    "qwen2": ("Qwen2", dict(num_key_value_heads=2, rms_norm_eps=1e-5)),
    "qwen2 whole, tied": ("Qwen2", dict(num_key_value_heads=4, tie_word_embeddings=True)),
    "qwen3": ("Qwen3", dict(num_key_value_heads=2, head_dim=8, tie_word_embeddings=True)),
    "qwen3 whole": ("Qwen3", dict(num_key_value_heads=4, head_dim=12)),
}
TOKENS = np.random.RandomState(0).randint(2, 97, (4, 20)).astype(np.int32)


def rotations(theta):
    """As this version of transformers takes them."""
    return {"rope_parameters": {"rope_theta": theta, "rope_type": "default"}}


def peer(layout):
    """Random weights of the size that trained ones have, biases and scales included."""
    family, options = LAYOUTS[layout]
    torch.manual_seed(0)
    config = getattr(transformers, f"{family}Config")(**SIZES, **options, **rotations(5000.0))
    network = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


@pytest.fixture(scope="module", params=LAYOUTS)
def pair(request, tmp_path_factory):
    """(their network, our network, our variables, what was read, a folder)."""
    folder = tmp_path_factory.mktemp("pair")
    theirs = peer(request.param)
    theirs.save_pretrained(folder / "theirs")
    found = published.read(folder / "theirs")
    fields = {key: value for key, value in found.network.items() if key != "name"}
    print(request.param, fields)
    return theirs, Transformer(**fields), found.variables(), found, folder


@torch.inference_mode()
def test_logits_and_loss(pair):
    theirs, module, variables, *_ = pair
    tokens = torch.from_numpy(TOKENS).long()
    expected = theirs(tokens, labels=tokens)
    logits = module.apply(variables, TOKENS, causal=True, train=False)
    close("logits", logits, expected.logits)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits[:, :-1]), TOKENS[:, 1:, None], -1)
    close("loss", -jnp.mean(chosen), expected.loss)


@torch.inference_mode()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(pair, side):
    theirs, module, variables, *_ = pair
    lengths = np.array([20, 13, 7, 1])
    mask = np.arange(20) < lengths[:, None]
    mask = mask[:, ::-1] if side == "left" else mask
    positions = np.maximum(np.cumsum(mask, 1) - 1, 0)
    expected = theirs(
        torch.from_numpy(TOKENS).long(),
        attention_mask=torch.from_numpy(mask.copy()).long(),
        position_ids=torch.from_numpy(positions),
    ).logits
    logits = module.apply(variables, TOKENS, causal=True, train=False, mask=mask, positions=positions)
    close(f"padding on the {side}", logits, expected, mask)


@torch.inference_mode()
def test_greedy_tokens_with_padding_on_the_left(pair):
    theirs, module, variables, *_ = pair
    lengths = np.array([8, 5, 3, 1])
    mask = np.arange(8)[::-1] < lengths[:, None]
    prompt = np.where(mask, TOKENS[:, :8], 0)
    expected = theirs.generate(
        torch.from_numpy(prompt).long(),
        attention_mask=torch.from_numpy(mask).long(),
        do_sample=False,
        min_new_tokens=12,
        max_new_tokens=12,
    )
    readable = np.concatenate([mask, np.ones((4, 12), bool)], 1)
    positions = np.maximum(np.cumsum(readable, 1) - 1, 0)
    decode = jax.jit(functools.partial(module.apply, variables, method="decode"))
    cache, found, index, tokens = module.empty_cache(4, 20), [], 0, prompt
    for _ in range(12):
        here = positions[:, index : index + tokens.shape[1]]
        logits, cache = decode(tokens, cache, index, mask=readable, positions=here)
        index += tokens.shape[1]
        tokens = np.asarray(jnp.argmax(logits[:, -1:], -1), np.int32)
        found.append(tokens)
    np.testing.assert_array_equal(np.concatenate(found, 1), expected[:, 8:].numpy())


@torch.inference_mode()
def test_written_back_to_the_bit(pair):
    theirs, _, variables, found, folder = pair
    kind = theirs.config.model_type
    published.write(folder / "ours", found.network, variables, kind)
    again = type(theirs).from_pretrained(folder / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    assert again.config.rope_parameters["rope_theta"] == 5000.0
    read = published.read(folder / "ours")
    assert read.network == found.network
    jax.tree.map(np.testing.assert_array_equal, variables, read.variables())


def test_what_we_do_not_compute_is_refused(tmp_path):
    for change, said in (
        (dict(attention_bias=True), "attention_bias"),
        (dict(hidden_act="gelu"), "hidden_act"),
        (dict(rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}), "linear"),
    ):
        transformers.LlamaConfig(**{**SIZES, **change}).save_pretrained(tmp_path / said)
        with pytest.raises(Exception, match=said):
            published.read(tmp_path / said)
