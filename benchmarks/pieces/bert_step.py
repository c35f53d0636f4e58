"""A training step of BERT: transformers' BertForMaskedLM.

Of the tokens 15 % are chosen anew in each step and read as the mask, as another one or as themselves; cross-entropy of
the chosen ones, tied embeddings, no dropout, gradients clipped to norm 1, AdamW.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.work import Side, Work

CEILING = "matmul"
UNIT = "tokens"
MINI = dict(layers=4, width=256, heads=4, vocabulary=30522, length=128)  # 11 million parameters: BERT-Mini
BASE = dict(layers=12, width=768, heads=12, vocabulary=30522, length=512)  # 110 million
SIZES = {
    "11m-cpu": dict(**MINI, batch=8, precision="float32"),
    "110m-gpu": dict(**BASE, batch=32, precision="bfloat16"),
    "tiny": dict(layers=2, width=32, heads=2, vocabulary=64, length=16, batch=2, precision="float32"),
}
MASK, FIRST = 3, 4  # the token that is read for a chosen one; the first that is of texts
RATE, BETAS, DECAY, CLIP = 1e-4, (0.9, 0.999), 0.01, 1.0
DENSITY, AS_MASK, AS_OTHER = 0.15, 0.8, 0.1


def config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration that these settings ask for."""
    from benchmarks import ours

    network = {key: settings[key] for key in ("layers", "width", "heads")}
    network |= dict(name="bert.Bert", dropout=0.0, remat=False)
    optimizer = {
        "schedule": "constant",
        "warmup_steps": 0,
        "learning_rate": RATE,
        "weight_decay": DECAY,
        "b2": BETAS[1],
    }
    changes = {f"optimizers.net.{key}": value for key, value in optimizer.items()}
    changes |= {"networks.net": network, "method.density": DENSITY, "precision": settings["precision"]}
    return ours.settings("bert_tang", changes)


def facts(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What a data set of such tokens knows."""
    ids = dict(pad=0, bos=1, eos=-1, unk=-1, mask=MASK, sentinels=())
    return dict(vocabulary=settings["vocabulary"], length=settings["length"], **ids)


def cost(settings: Mapping[str, Any]) -> float:
    """FLOPs of a step's products with weights, and of queries, keys and values: each once forwards, twice backwards."""
    width, length = settings["width"], settings["length"]
    weights = settings["layers"] * 12 * width**2 + width**2 + settings["vocabulary"] * width
    return 6.0 * settings["batch"] * length * (weights + settings["layers"] * 2 * width * length)


def tokens(settings: Mapping[str, Any]) -> np.ndarray:
    """Random texts without padding, int32 [B, length + 1], of which the last column is not read."""
    shape = settings["batch"], settings["length"] + 1
    return np.random.RandomState(0).randint(FIRST, settings["vocabulary"], shape).astype(np.int32)


def aigc_jax(settings: Mapping[str, Any]) -> Work:
    """The trainer's step."""
    from benchmarks import ours

    batch = {"target": tokens(settings)}
    return ours.training(config(settings), facts(settings), batch, settings["batch"] * settings["length"])


def transformers(settings: Mapping[str, Any], compiled: bool = False) -> Work:
    """A plain loop around the network's own loss, with PyTorch's fused attention."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    from benchmarks import peers

    shape = BertConfig(
        vocab_size=settings["vocabulary"],
        max_position_embeddings=settings["length"],
        hidden_size=settings["width"],
        num_hidden_layers=settings["layers"],
        num_attention_heads=settings["heads"],
        intermediate_size=4 * settings["width"],
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )
    network = BertForMaskedLM(shape).to(peers.DEVICE).train()
    call = torch.compile(network) if compiled else network
    texts = torch.from_numpy(tokens(settings)[:, :-1].copy()).long().to(peers.DEVICE)

    def loss() -> torch.Tensor:
        chosen = torch.rand(texts.shape, device=peers.DEVICE) < DENSITY
        lot = torch.rand(texts.shape, device=peers.DEVICE)
        others = torch.randint_like(texts, FIRST, settings["vocabulary"])
        seen = torch.where(chosen & (lot < AS_MASK + AS_OTHER), others, texts)
        seen = torch.where(chosen & (lot < AS_MASK), MASK, seen)
        logits = call(input_ids=seen).logits
        targets = torch.where(chosen, texts, -100)  # which the loss leaves out
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())

    optimizer = torch.optim.AdamW(network.parameters(), RATE, BETAS, weight_decay=DECAY, fused=True)
    work = peers.training(network, loss, optimizer, texts.numel(), settings["precision"], CLIP)
    return work._replace(cost=cost(settings))


SIDES = {
    "ours": Side("aigc_jax", aigc_jax, "aigc_jax"),
    "eager": Side("torch", transformers, "transformers, eager"),
    "compiled": Side("torch", lambda settings: transformers(settings, compiled=True), "transformers, torch.compile"),
}
