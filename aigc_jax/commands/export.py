"""Write a trained network into a folder of weights, as others read them.

    aigc_jax export runs/gpt models/gpt --format=gpt2

What is written is a config.json and a file of safetensors. It can be the source of another run: file:models/gpt. The
weights are those of the best checkpoint where one was measured, else of the newest: averaged where an average was kept,
and merged with an adapter's. Beside a network of texts lie the files of its tokenizer: data.tokenizer=file:models/gpt.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp

from aigc_jax import lookup, published, sources
from aigc_jax.data.tokenizers import folder as tokenizer_folder
from aigc_jax.data.tokenizers import of_run
from aigc_jax.errors import naming


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdir", metavar="RUN", help="the folder of the run")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="to write, which is not there yet")
    parser.add_argument("--network", default="net", help="of the run (default: net)")
    known = [published.OWN, *published.kinds()]
    said = f"of the folder: {', '.join(known)} (default: {published.OWN})"
    parser.add_argument("--format", default=published.OWN, choices=known, help=said)


def run(options: argparse.Namespace) -> None:
    """Writes the folder. Raises UserError where there is no such network, or it is not one of the format."""
    found = sources.find(f"run:{options.workdir}#{options.network}", "RUN")
    module = lookup.network(found.network, options.network, jnp.float32, {})
    variables = found.load(module, sources.on_one_device)
    published.write(options.folder, found.network, jax.device_get(variables), options.format)
    kept = found.workdir.kept() if found.workdir else None
    learnt = of_run.of(kept) if kept else None
    beside = ""
    if learnt:
        with naming(options.folder):
            beside = f", a tokenizer of {tokenizer_folder.write(options.folder, learnt).size:,} tokens"
    count = sum(x.size for x in jax.tree.leaves(variables["params"]))
    print(f"{options.folder}: {found.network['name']}, {count:,} weights{beside}")
