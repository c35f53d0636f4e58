"""Write down what is said in WAV files, by a published Whisper.

    aigc_jax transcribe FOLDER one.wav other.wav
    aigc_jax transcribe FOLDER clips/*.wav --truth said.txt

FOLDER holds config.json, safetensors and tokenizer.json, as Hugging Face has them. A line a file, in their order. With
--truth, a file with what is said in each, a line each, the word error rate follows.
"""

import argparse
import hashlib
from pathlib import Path

from aigc_jax.data import waves
from aigc_jax.errors import ConfigError, UserError
from aigc_jax.evaluate.files import load_texts
from aigc_jax.evaluate.measure import finish
from aigc_jax.evaluate.transcriber import Transcriber, transcriber
from aigc_jax.metrics.bootstrap import interval
from aigc_jax.metrics.record import Figure, Origin, Protocol
from aigc_jax.metrics.speech import word_error
from aigc_jax.ops.mel import RATE


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+")
    parser.add_argument("--beams", type=int, default=1, help="hypotheses of the search (default: 1, each token alone)")
    parser.add_argument("--truth", type=Path, help="what is said, in the same order")
    parser.add_argument("--seed", type=int, default=0, help="of the interval")
    parser.add_argument("--out", type=Path, help="file that the record is added to")


def run(options: argparse.Namespace) -> None:
    """Prints the texts, and what --truth gives; adds the record to --out. Raises UserError."""
    if options.beams < 1:
        raise ConfigError(f"--beams={options.beams} is no number of hypotheses: give 1 or more.")
    clips = [waves.resampled(waves.read(path), RATE).samples for path in options.files]
    said = None if options.truth is None else load_texts(options.truth, paired=True).tolist()
    if said is not None and len(said) != len(clips):
        raise UserError(
            f"{options.truth} has {len(said):,} texts, and there are {len(clips):,} files: give one for each."
        )
    by = transcriber(options.folder, options.beams)
    heard = []
    for text in by.texts(clips):
        print(text, flush=True)
        heard.append(text)
    if said is not None:
        finish([_figure(by, heard, said, options)], [], Origin(str(options.folder), options.seed), options.out)


def _figure(by: Transcriber, heard: list[str], said: list[str], options: argparse.Namespace) -> Figure:
    protocol = Protocol(
        measure="word_error",
        data=options.truth.name,
        data_sha256=hashlib.sha256("\n".join(said).encode()).hexdigest(),
        split="pairs",
        samples=len(said),
        extractor="whisper",
        extractor_sha256=by.sha256,
        settings={"beams": by.beams},
    )
    return Figure(protocol, interval(word_error(heard, said), options.seed), None)
