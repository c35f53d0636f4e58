"""Measure generated texts against the training texts.

    aigc_jax texts TRAINING MADE --measures distinct_2 copied_10 self_bleu
    aigc_jax texts TRAINING MADE --truth TRUTH --measures bleu chrf exact_match

Each is a UTF-8 file with a text a line, or .jsonl with {"text": …} a line, which --mode=sample
writes. As many texts of --heldout as there are in MADE give the floor: what real texts reach.
"""

import argparse
from pathlib import Path

import numpy as np

from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.texts import Text
from aigc_jax.data.rows import TRUTH
from aigc_jax.errors import UserError
from aigc_jax.evaluate import files
from aigc_jax.evaluate.judge import Judge
from aigc_jax.evaluate.measure import finish, listed, named
from aigc_jax.evaluate.texts import MEASURES, of_strings
from aigc_jax.metrics.record import Origin

USUAL = ("distinct_1", "distinct_2", "copied_10")  # measures


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("training", metavar="TRAINING", type=Path)
    parser.add_argument("made", metavar="MADE", type=Path)
    parser.add_argument("--heldout", type=Path, help="more real texts, for the floor")
    parser.add_argument("--truth", type=Path, help="what the texts should be, in the same order")
    parser.add_argument("--measures", metavar="NAME", nargs="+", default=USUAL, help=listed(MEASURES, USUAL))
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--out", type=Path, help="file that the records are added to")


def run(options: argparse.Namespace) -> None:
    """Prints the figures, and adds their records to --out. Raises UserError, also for measures that are left out."""
    given = {"training": options.training, "heldout": options.heldout}
    rows = _rows(options.made, options.truth)
    made = rows["text"]
    splits: dict[str, Source] = {
        name: ArraySource({"text": files.load_texts(path)}) for name, path in given.items() if path
    }
    data = DataSet(options.training.name, splits, {"text": Text("", 1)}, "text")
    measures = named(options.measures, MEASURES)
    judging = Judge(data, "training", "heldout", len(made), measures, of_strings())
    figures = judging.figures([judging.look(rows)], options.seed)
    finish(figures, judging.left_out, Origin(options.made.name, options.seed), options.out)


def _rows(made: Path, truth: Path | None) -> dict[str, np.ndarray]:
    """The texts, and what they should be. Raises UserError where these are not as many."""
    if truth is None:
        return {"text": files.load_texts(made)}
    rows = {"text": files.load_texts(made, paired=True), TRUTH: files.load_texts(truth, paired=True)}
    if len(rows["text"]) != len(rows[TRUTH]):
        raise UserError(
            f"{made} has {len(rows['text']):,} texts and {truth} has {len(rows[TRUTH]):,}: give one for each, and an "
            "empty line for an empty one."
        )
    return rows
