"""Measure generated texts against the training texts.

    aigc_jax texts TRAINING MADE --measures distinct_2 copied_10 self_bleu

TRAINING and MADE are UTF-8 files with a text a line, or .jsonl files with {"text": …} a line, which --mode=sample
writes. With --heldout, as many of its texts as there are in MADE give the floor: what real texts reach.
"""

import argparse
from pathlib import Path

from aigc_jax.data.dataset import ArraySource, DataSet, Source
from aigc_jax.data.fields.texts import Text
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
    parser.add_argument("--measures", metavar="NAME", nargs="+", default=USUAL, help=listed(MEASURES, USUAL))
    parser.add_argument("--seed", type=int, default=0, help="of the intervals")
    parser.add_argument("--out", type=Path, help="file that the records are added to")


def run(options: argparse.Namespace) -> None:
    """Prints the figures, and adds their records to --out. Raises UserError, also for measures that are left out."""
    given = {"training": options.training, "heldout": options.heldout}
    made = files.load_texts(options.made)
    splits: dict[str, Source] = {
        name: ArraySource({"text": files.load_texts(path)}) for name, path in given.items() if path
    }
    data = DataSet(options.training.name, splits, {"text": Text("", 1)}, "text")
    measures = named(options.measures, MEASURES)
    judging = Judge(data, "training", "heldout", len(made), measures, of_strings())
    figures = judging.figures([judging.look({"text": made})], options.seed)
    finish(figures, judging.left_out, Origin(options.made.name, options.seed), options.out)
