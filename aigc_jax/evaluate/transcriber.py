"""What is said in clips of speech, by a Whisper in a folder of published weights.

Radford et al. 2022, arXiv:2212.04356. A clip is read in windows of 30 s, each by itself and filled up with silence; a
longer clip is cut where it is quietest (section 3.8 goes by timestamps of the model's instead). The text begins as
section 2.3 has it: with the start of a transcript, the language and the task where the model knows several, and that
there are no timestamps. Tokens that no transcript has are never chosen.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from aigc_jax import lookup, published
from aigc_jax.data.tokenizers import Tokenizer, tokenizer
from aigc_jax.data.tokenizers.published import read as read_tokenizer
from aigc_jax.errors import UserError
from aigc_jax.metrics.features.extractor import weights_sha256
from aigc_jax.ops.mel import HOP, RATE, log_mel
from aigc_jax.ops.next_token import Plan, generate, plan
from aigc_jax.weights.whisper import SEVERAL, START, UNTIMED

NETWORK = "whisper.Whisper"
TASK = ("<|en|>", "<|transcribe|>")
GENERATION = "generation_config.json"  # beside config.json: tokens that no transcript has
BATCH = 4  # windows at a time
LATEST = 5  # seconds before the end of a window in which it may be cut
QUIET = 0.2  # seconds over which quiet is measured


class Transcriber(NamedTuple):
    """Writes down what is said."""

    texts: Callable[[Sequence[np.ndarray]], Iterator[str]]  # clips float32 [N] at `RATE` -> the text of each, in order
    sha256: str  # of the weights
    beams: int


class Vocabulary(NamedTuple):
    """The tokens of transcripts."""

    tokenizer: Tokenizer
    prompt: np.ndarray  # int32 [P]
    never: np.ndarray  # float32 [V]: -inf for tokens that are not chosen
    first: np.ndarray  # float32 [V]: -inf for tokens that are not chosen first besides
    eos: int


def transcriber(folder: Path, beams: int = 1) -> Transcriber:
    """The Whisper in a folder. beams: hypotheses of the search for the most probable text; 1 = each token by itself.

    Raises UserError where there is none, or no tokenizer beside it.
    """
    found = published.read(folder)
    if found.network["name"] != NETWORK:
        raise UserError(f"{folder} is of {found.network['name']}: give the folder of a Whisper.")
    module: Any = lookup.network(found.network, "network", jnp.float32, {})
    variables = found.variables()
    arrays = traverse_util.flatten_dict(variables, sep="/")
    words = _vocabulary(folder, module.vocabulary)
    length = module.length // 2  # tokens of a window's text
    samples = 2 * module.source_length * HOP

    @jax.jit
    def program(variables: Any, clips: jax.Array, plan: Plan) -> jax.Array:
        """float32 [B, samples] -> tokens int32 [B, length + 1], after which the start of a transcript pads."""

        def look(tokens: jax.Array, cache: Any, index: Any, read: Any) -> tuple[jax.Array, Any]:
            logits, cache = module.apply(variables, tokens, cache, index, read, method="decode")
            return logits + jnp.where(index == len(words.prompt) - 1, words.first, 0), cache

        read = module.apply(variables, {"source": log_mel(clips, module.mels)}, method="read")
        known = jnp.tile(words.prompt, (len(clips), 1))
        keys = jax.random.split(jax.random.key(0), len(clips))
        rest = dict(length=length, pad=int(words.prompt[0]), eos=words.eos, never=words.never)
        return generate(look, module, keys, known, plan, read=(read,), **rest)

    placed = jax.device_put(variables)
    # Divided by its length, a text that goes on with full stops would come before one that ends.
    run = partial(program, placed, plan=plan(temperature=0.0, beams=beams, length_penalty=0.0))
    texts = partial(_texts, run, words, samples)
    return Transcriber(texts, weights_sha256({name: np.asarray(x) for name, x in arrays.items()}), beams)


def _texts(
    run: Callable[[np.ndarray], jax.Array], words: Vocabulary, samples: int, clips: Sequence[np.ndarray]
) -> Iterator[str]:
    """Several windows at a time, and a text as soon as all of its windows are read."""
    parts = [windows(clip, samples) for clip in clips]
    rows = [np.pad(window, (0, samples - len(window))) for part in parts for window in part]
    size, said = BATCH if len(rows) > 1 else 1, []  # two programs in all
    left = iter(parts)
    needed = next(left, None)
    for start in range(0, len(rows), BATCH):
        batch = rows[start : start + BATCH]
        batch += [np.zeros(samples, np.float32)] * (size - len(batch))
        said += [_text(words, tokens) for tokens in np.asarray(run(np.stack(batch)))]
        while needed is not None and len(said) >= len(needed):
            yield " ".join(" ".join(said[: len(needed)]).split())
            said = said[len(needed) :]
            needed = next(left, None)


def windows(clip: np.ndarray, samples: int) -> list[np.ndarray]:
    """A clip [N] in parts of at most so many samples: each cut is where it is quietest, late in a part."""
    parts, quiet = [], int(QUIET * RATE)
    latest = min(LATEST * RATE, samples // 2)
    while len(clip) > samples:
        energy = np.concatenate([[0.0], np.cumsum(np.square(clip[samples - latest : samples], dtype=np.float64))])
        sums = energy[quiet:] - energy[:-quiet]
        cut = samples - latest + int(np.argmin(sums)) + quiet // 2
        parts.append(clip[:cut])
        clip = clip[cut:]
    return [*parts, clip]


def _text(words: Vocabulary, tokens: np.ndarray) -> str:
    tokens = tokens[len(words.prompt) :]
    ends = np.flatnonzero((tokens == words.eos) | (tokens == words.prompt[0]))
    return words.tokenizer.decode(tokens[: ends[0] if len(ends) else None].tolist()).strip()


def _vocabulary(folder: Path, size: int) -> Vocabulary:
    """The tokens of a model with so many. Raises UserError where they are not those of a Whisper."""
    inner = tokenizer(*read_tokenizer(folder))
    names = [START, *(TASK if size >= SEVERAL else ()), UNTIMED]
    if lacking := [name for name in names if name not in inner.names]:
        raise UserError(f"The tokenizer in {folder} has no {lacking[0]}: it is of another model.")
    eos, number = inner.special.eos, inner.names.index
    never, first = np.zeros((2, size), np.float32)
    never[eos + 1 :] = -np.inf  # the special tokens, and times
    told = _json(folder / GENERATION)
    for key, array in (("suppress_tokens", never), ("begin_suppress_tokens", first)):
        array[[each for each in told.get(key) or () if 0 <= each < size]] = -np.inf
    never[eos] = 0
    return Vocabulary(inner, np.array([number(name) for name in names], np.int32), never, first, eos)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): fetch it again.") from error
    return found if isinstance(found, dict) else {}
