"""Make an extractor of features of a classifier that a run has trained.

    aigc_jax ship runs/classifier_digits digits

From then on `evals.<name>.extractor="digits"` names it. Its weights, in half precision, become a file of this package.
"""

import argparse
from pathlib import Path

import jax.numpy as jnp

from aigc_jax import lookup, sources
from aigc_jax.config import SECTIONS
from aigc_jax.errors import UserError
from aigc_jax.metrics.features import small
from aigc_jax.metrics.features.catalogue import SHIPPED
from aigc_jax.train.workdir import Workdir


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("workdir", metavar="WORKDIR", help="of the run")
    parser.add_argument("name", metavar="NAME", help="of the extractor")
    parser.add_argument("--folder", type=Path, default=SHIPPED, help="where its file goes (default: the package)")


def run(options: argparse.Namespace) -> None:
    """Writes the file. Raises UserError where the run has trained no such classifier."""
    workdir = Workdir(options.workdir)
    config, networks = workdir.recorded()
    if networks.get("net", {}).get("name") != "convnet.ConvNet":
        raise UserError(
            f"The run in {workdir.folder} has trained no convnet.ConvNet: give one of configs/classifier_*."
        )
    found = sources.find(f"run:{workdir.folder}#net", "WORKDIR")
    variables = found.load(lookup.network(found.network, "net", jnp.float32, {}), sources.on_one_device)
    path = options.folder / f"{options.name}.safetensors"
    fields = {key: value for key, value in networks["net"].items() if key != "name"}
    small.save(path, variables["params"], fields, {key: value for key, value in config.items() if key in SECTIONS})
    made = small.load(path)
    print(f"{path}: {path.stat().st_size:,} bytes, weights {made.sha256[:12]}")
