"""Whisper against Hugging Face's transformers: spectrograms, and networks of random weights in both directions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from apart import close

from aigc_jax import published
from aigc_jax.nn.whisper import Whisper
from aigc_jax.ops.mel import log_mel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = dict(
    vocab_size=97,
    d_model=48,
    encoder_layers=3,
    decoder_layers=2,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    encoder_ffn_dim=80,
    decoder_ffn_dim=80,
    num_mel_bins=10,
    max_source_positions=20,
    max_target_positions=30,
    decoder_start_token_id=1,
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
)
SOURCE = np.random.RandomState(0).randn(4, 40, 10).astype(np.float32)
TOKENS = np.random.RandomState(1).randint(3, 97, (4, 30)).astype(np.int32)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """(their network, our network, our variables, what was read, a folder), of the size that trained weights have."""
    folder = tmp_path_factory.mktemp("pair")
    torch.manual_seed(0)
    theirs = transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**SIZES)).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    theirs.save_pretrained(folder / "theirs")
    found = published.read(folder / "theirs")
    fields = {key: value for key, value in found.network.items() if key != "name"}
    return theirs, Whisper(**fields), found.variables(), found, folder


@torch.inference_mode()
def test_logits_loss_and_vectors_of_the_encoder(pair):
    theirs, module, variables, *_ = pair
    source, tokens = torch.from_numpy(SOURCE).mT, torch.from_numpy(TOKENS).long()
    expected = theirs(source, decoder_input_ids=tokens, labels=tokens)
    logits = module.apply(variables, TOKENS, given={"source": SOURCE}, train=False)
    close("logits", logits, expected.logits)
    chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), TOKENS[..., None], -1)
    close("loss", -jnp.mean(chosen), expected.loss)
    close("encoder", module.apply(variables, SOURCE, method="encode"), expected.encoder_last_hidden_state)


@torch.inference_mode()
def test_greedy_tokens(pair):
    theirs, module, variables, *_ = pair
    tokens = torch.ones(4, 1).long()
    for _ in range(12):
        logits = theirs(torch.from_numpy(SOURCE).mT, decoder_input_ids=tokens).logits
        tokens = torch.cat([tokens, logits[:, -1:].argmax(-1)], 1)
    read = module.apply(variables, {"source": SOURCE}, method="read")
    decode = jax.jit(functools.partial(module.apply, variables, method="decode"))
    cache, each, found = module.empty_cache(4, 12), np.ones((4, 1), np.int32), []
    for index in range(12):
        logits, cache = decode(each, cache, index, read)
        each = np.asarray(jnp.argmax(logits[:, -1:], -1), np.int32)
        found.append(each)
    np.testing.assert_array_equal(np.concatenate(found, 1), tokens[:, 1:].numpy())


@torch.inference_mode()
def test_written_back_to_the_bit(pair):
    theirs, _, variables, found, folder = pair
    published.write(folder / "ours", found.network, variables, "whisper")
    again = transformers.WhisperForConditionalGeneration.from_pretrained(folder / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    read = published.read(folder / "ours")
    assert read.network == found.network
    jax.tree.map(np.testing.assert_array_equal, variables, read.variables())


@pytest.mark.parametrize("filters", [80, 128])
def test_spectrograms(filters):
    """Noise, a sweep and silence, as the extractor fills them up with silence to 30 s."""
    time = np.arange(80_000) / 16_000
    sweep = 0.3 * np.sin(2 * np.pi * (100 + 700 * time) * time)
    noise = 0.1 * np.random.RandomState(0).randn(80_000)
    clips = np.stack([sweep, noise, np.zeros(80_000), 1e-3 * noise]).astype(np.float32)
    extractor = transformers.WhisperFeatureExtractor(feature_size=filters)
    expected = extractor(list(clips), sampling_rate=16_000, return_tensors="np")["input_features"]
    found = log_mel(np.pad(clips, ((0, 0), (0, 400_000))), filters)
    np.testing.assert_allclose(found, np.moveaxis(expected, 1, 2), atol=1e-4)
