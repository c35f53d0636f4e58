"""Ask which of two samples is better, on a page that does not say what they are from.

    aigc_jax prefer page FOLDER FOLDER [FOLDER ...] --out=page.html --pairs=100
    aigc_jax prefer score ANSWERS.json [ANSWERS.json ...] --key=page.key.json

`page` pairs samples of folders of images, or of texts (.txt). It writes one HTML file, which works without a network,
and a key that says which folder each sample is from. Send the page to raters; they send back the answers that they
download from it. `score` says how strongly each folder is preferred.
"""

import argparse
import json
from pathlib import Path

from aigc_jax.preference import page, votes
from aigc_jax.train.workdir import write_whole


def arguments(parser: argparse.ArgumentParser) -> None:
    each = parser.add_subparsers(metavar="page|score", required=True)
    asking = each.add_parser("page", help="write a page that shows pairs of samples")
    asking.add_argument("folders", metavar="FOLDER", type=Path, nargs="+", help="of images, or of .txt files")
    asking.add_argument("--out", type=Path, required=True, help="the page, a file that ends in .html")
    asking.add_argument("--pairs", type=int, default=100, help="to show (%(default)s)")
    asking.add_argument("--question", default="Which one is better?", help="that raters answer (%(default)s)")
    asking.add_argument("--size", type=int, default=0, help="side that images are cut and resized to")
    asking.add_argument("--seed", type=int, default=0, help="of the pairs, their order and their sides")
    asking.set_defaults(act=_page)
    scoring = each.add_parser("score", help="say from answers how strongly each folder is preferred")
    scoring.add_argument("answers", metavar="ANSWERS", type=Path, nargs="+", help="files that the page gave")
    scoring.add_argument("--key", type=Path, required=True, help="the file that was written beside the page")
    scoring.add_argument("--seed", type=int, default=0, help="of the intervals")
    scoring.add_argument("--out", type=Path, help="file that the scores are written to, as JSON")
    scoring.set_defaults(act=_score)


def run(options: argparse.Namespace) -> None:
    """Writes a page and its key, or prints scores. Raises UserError."""
    options.act(options)


def _page(options: argparse.Namespace) -> None:
    key = page.write(options.folders, options.out, options.question, options.pairs, options.size, options.seed)
    print(f"page: {options.out} ({options.out.stat().st_size / 1e6:.1f} MB): send it to raters")
    print(f"key: {key}: keep it, it says what each sample is from")


def _score(options: argparse.Namespace) -> None:
    score = votes.score(page.PageKey.load(options.key), options.answers, options.seed)
    print(votes.told(score))
    if options.out:
        write_whole(options.out, json.dumps(score.to_dict(), indent=2) + "\n")
        print(f"scores: {options.out}")
