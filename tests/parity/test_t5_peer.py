"""T5 against Hugging Face's transformers, with random weights of versions 1.0 and 1.1, in both directions."""

import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from apart import close
from safetensors.numpy import load_file, save_file

from aigc_jax import published
from aigc_jax.nn.encoder_decoder import EncoderDecoder

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = dict(
    vocab_size=97,
    d_model=48,
    d_kv=8,  # not width / heads
    d_ff=80,
    num_layers=3,
    num_decoder_layers=2,
    num_heads=4,
    n_positions=64,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=20,
    decoder_start_token_id=0,
    eos_token_id=None,
)
VERSIONS = {
    "1.0": dict(feed_forward_proj="relu"),
    "1.1": dict(feed_forward_proj="gated-gelu", tie_word_embeddings=False),
}
SOURCE = np.random.RandomState(0).randint(1, 97, (4, 40)).astype(np.int32)
TOKENS = np.random.RandomState(1).randint(1, 97, (4, 30)).astype(np.int32)
LENGTHS = np.array([40, 27, 9, 1])


def wire(folder, version):
    """Random weights of the size that trained ones have, as Google's files are: 1.1 has an output layer of its own."""
    torch.manual_seed(0)
    theirs = transformers.T5ForConditionalGeneration(transformers.T5Config(**SIZES, **VERSIONS[version]))
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.mul_(0.3).add_(0.1 * torch.randn_like(weight))
    theirs.save_pretrained(folder)
    if version == "1.1":
        arrays = load_file(folder / "model.safetensors")
        arrays["lm_head.weight"] = np.random.RandomState(2).randn(97, 48).astype(np.float32)
        save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.loads((folder / "config.json").read_text())
        del config["scale_decoder_outputs"]
        (folder / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))


@pytest.fixture(scope="module", params=VERSIONS)
def pair(request, tmp_path_factory):
    """(their network, our network, our variables, what was read, a folder)."""
    folder = tmp_path_factory.mktemp("pair")
    wire(folder / "theirs", request.param)
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(folder / "theirs").eval()
    found = published.read(folder / "theirs")
    fields = {key: value for key, value in found.network.items() if key != "name"}
    assert fields["tied"] == (request.param == "1.0")
    return theirs, EncoderDecoder(**fields), found.variables(), found, folder


@torch.inference_mode()
def test_logits_loss_and_vectors_of_the_encoder(pair):
    theirs, module, variables, *_ = pair
    source, tokens = (torch.from_numpy(x).long() for x in (SOURCE, TOKENS))
    expected = theirs(source, decoder_input_ids=tokens, labels=tokens)
    logits = module.apply(variables, TOKENS, given={"source": SOURCE}, train=False)
    close("logits", logits, expected.logits)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), TOKENS[..., None], -1)
    close("loss", -jnp.mean(chosen), expected.loss)
    hidden = module.apply(variables, SOURCE, train=False, method="encode")
    close("encoder", hidden, expected.encoder_last_hidden_state)


@torch.inference_mode()
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(pair, side):
    theirs, module, variables, *_ = pair
    mask = np.arange(40) < LENGTHS[:, None]
    mask = (mask[:, ::-1] if side == "left" else mask).copy()
    source = np.where(mask, SOURCE, 0)
    text_mask = np.arange(30) < LENGTHS[:, None]
    text_mask = (text_mask[:, ::-1] if side == "left" else text_mask).copy()
    expected = theirs(
        torch.from_numpy(source).long(),
        attention_mask=torch.from_numpy(mask).long(),
        decoder_input_ids=torch.from_numpy(TOKENS).long(),
        decoder_attention_mask=torch.from_numpy(text_mask).long(),
    ).logits
    logits = module.apply(variables, TOKENS, given={"source": source}, train=False, mask=text_mask)
    close(f"padding on the {side}", logits, expected, text_mask)


@torch.inference_mode()
def test_greedy_tokens(pair):
    theirs, module, variables, *_ = pair
    mask = np.arange(40) < LENGTHS[:, None]
    source = np.where(mask, SOURCE, 0)
    expected = theirs.generate(
        torch.from_numpy(source).long(),
        attention_mask=torch.from_numpy(mask).long(),
        do_sample=False,
        min_new_tokens=12,
        max_new_tokens=12,
    )
    read = module.apply(variables, {"source": source}, method="read")
    decode = jax.jit(functools.partial(module.apply, variables, method="decode"))
    cache, tokens, found = module.empty_cache(4, 12), np.zeros((4, 1), np.int32), []
    for index in range(12):
        logits, cache = decode(tokens, cache, index, read)
        tokens = np.asarray(jnp.argmax(logits[:, -1:], -1), np.int32)
        found.append(tokens)
    np.testing.assert_array_equal(np.concatenate(found, 1), expected[:, 1:].numpy())


@torch.inference_mode()
def test_written_back_to_the_bit(pair):
    theirs, _, variables, found, folder = pair
    published.write(folder / "ours", found.network, variables, "t5")
    again = transformers.T5ForConditionalGeneration.from_pretrained(folder / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    assert again.config.scale_decoder_outputs == theirs.config.scale_decoder_outputs
    read = published.read(folder / "ours")
    assert read.network == found.network
    jax.tree.map(np.testing.assert_array_equal, variables, read.variables())
