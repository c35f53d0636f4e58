"""What a language model has to beat: n-grams with Kneser-Ney smoothing on the same texts and split.

    python benchmarks/ngram.py --config=configs/gpt_tang.py [--path=FOLDER] [--order=5]

Prints bits a character (newlines and the end of a text counted, as `evaluate` counts them) on each held-out split,
for the windows that the configuration trains on. --path: of the texts, where the configuration leaves it open.
"""

import argparse
import runpy
import time

import numpy as np

from aigc_jax.data import catalogue
from aigc_jax.metrics.ngram import ngram_bits


def main() -> None:
    """Reads the arguments and prints one line a split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True)
    parser.add_argument("--path")
    parser.add_argument("--order", type=int, default=5)
    arguments = parser.parse_args()
    section = runpy.run_path(arguments.config)["get_config"]("full").data.to_dict()
    section.pop("batch_size")
    if arguments.path:
        section["path"] = arguments.path
    data = catalogue.load(section, None)
    pad, vocabulary = data.facts["pad"], data.facts["vocabulary"]
    windows = {
        name: [row[row != pad].astype(np.int64) for row in (split.arrays or {})["text"]]
        for name, split in data.splits.items()
    }
    for name in windows.keys() - {"train"}:
        began = time.time()
        bits = ngram_bits(windows["train"], windows[name], arguments.order, vocabulary)
        seconds = time.time() - began
        print(
            f"{arguments.order}-gram  {name:<10}  {bits:.4f} bits/char  {len(windows[name])} windows  {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
