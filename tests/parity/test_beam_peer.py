"""Greedy and beam search against Hugging Face's transformers: the same tokens from the same random T5 and GPT-2."""

import functools

import jax
import numpy as np
import pytest

from aigc_jax import published
from aigc_jax.nn.encoder_decoder import EncoderDecoder
from aigc_jax.nn.transformer import Transformer
from aigc_jax.ops.next_token import generate, plan

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

V, EOS, PAD = 13, 3, -1  # few tokens, so that texts end; no token pads
ROWS, NEW = 6, 16
RNG = np.random.RandomState(0)
SOURCE = RNG.randint(1, V, (ROWS, 20)).astype(np.int32)
PROMPT = RNG.randint(4, V, (ROWS, 5)).astype(np.int32)
T5 = dict(
    d_model=48,
    d_kv=12,
    d_ff=80,
    num_layers=2,
    num_heads=4,
    n_positions=64,
    decoder_start_token_id=0,
    eos_token_id=EOS,
)
GPT2 = dict(n_positions=32, n_layer=2, n_embd=48, n_head=4, bos_token_id=0, eos_token_id=EOS)


@pytest.fixture(scope="module", params=["t5", "gpt2"])
def pair(request, tmp_path_factory):
    """(their texts for settings, ours), int [ROWS, T] both, from the same weights."""
    torch.manual_seed(1)
    if request.param == "t5":
        theirs = transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=V, **T5))
        make, known = EncoderDecoder, np.zeros((ROWS, 1), np.int32)
        asked = dict(input_ids=torch.from_numpy(SOURCE).long())
    else:
        theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=V, **GPT2))
        make, known = Transformer, PROMPT
        asked = dict(input_ids=torch.from_numpy(PROMPT).long(), attention_mask=torch.ones(PROMPT.shape, dtype=int))
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    folder = tmp_path_factory.mktemp("pair")
    theirs.eval().save_pretrained(folder)
    found = published.read(folder)
    module = make(**{key: value for key, value in found.network.items() if key != "name"})
    variables = found.variables()
    read = [module.apply(variables, {"source": SOURCE}, method="read")] if make is EncoderDecoder else []

    @torch.inference_mode()
    def expected(**settings):
        return theirs.generate(**asked, do_sample=False, max_new_tokens=NEW, pad_token_id=EOS, **settings).numpy()

    @jax.jit
    def ours(plan):
        look = functools.partial(module.apply, variables, method="decode")
        length, keys = known.shape[1] + NEW - 1, jax.random.split(jax.random.key(0), ROWS)
        never = np.zeros(V, np.float32)
        return generate(look, module, keys, known, plan, read=read, length=length, pad=PAD, eos=EOS, never=never)

    return expected, ours


def same(found, expected):
    """Also after the end, where ours pad."""
    found = np.asarray(found)
    found = np.where(found == PAD, EOS, found)[:, : expected.shape[1]]
    np.testing.assert_array_equal(found, expected)


def test_the_texts_end_in_several_places(pair):
    assert len(set(np.sum(pair[0](num_beams=3, length_penalty=0.0, early_stopping="never") == EOS, axis=1))) > 1


@pytest.mark.parametrize("repetition", [1.0, 1.4])
def test_greedy_tokens(pair, repetition):
    expected, ours = pair
    same(ours(plan(temperature=0.0, repetition=repetition)), expected(repetition_penalty=repetition))


@pytest.mark.parametrize("beams", [2, 4, 6])
@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 1.0, 2.5])
def test_tokens_of_beams(pair, beams, length_penalty):
    expected, ours = pair
    texts = expected(num_beams=beams, length_penalty=length_penalty, early_stopping="never")
    same(ours(plan(beams=beams, length_penalty=length_penalty)), texts)


def test_beams_with_a_penalty_of_repetition(pair):
    expected, ours = pair
    same(ours(plan(beams=3, repetition=1.4)), expected(num_beams=3, repetition_penalty=1.4, early_stopping="never"))
