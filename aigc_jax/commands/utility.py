"""Train classifiers on real and on synthetic labelled images, and compare them on real test images.

    aigc_jax utility MADE --config=configs/classifier_digits.py --out utility

MADE is a .npz file with "image", uint8 [N, H, W, C], and "label", integers from 0 on: what --mode=sample writes of a
conditional model. --config names the real data, the classifier, its optimizer, steps and batches. Prints a table, and
writes utility.json and utility.svg. Intervals are over trainings and test images.
"""

import argparse
from pathlib import Path

from aigc_jax import experiments, plot
from aigc_jax.build import bind_method, build_learners
from aigc_jax.data import catalogue
from aigc_jax.errors import ConfigError, naming
from aigc_jax.evaluate import utility
from aigc_jax.evaluate.utility import SOURCES, Point


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("made", metavar="MADE", type=Path)
    parser.add_argument(
        "--config", required=True, help="a classifier's configuration, by name or file; ':tiny' after it: its twin"
    )
    parser.add_argument("--budgets", type=int, nargs="+", default=[100, 1000, 0], help="labels; 0 = all there are")
    parser.add_argument("--seeds", type=int, default=3, help="trainings for each point")
    parser.add_argument("--out", type=Path, required=True, help="folder for utility.json and utility.svg")


def run(options: argparse.Namespace) -> None:
    """Prints the table and writes the curve. Raises UserError."""
    made, config = utility.load(options.made), experiments.load(options.config).to_dict()
    section = dict(config["data"])
    size, steps = section.pop("batch_size"), config["train"]["steps"]
    data = catalogue.load(section, None)
    real, test = (utility.labelled(data, split) for split in ("train", config["evaluate"]["split"]))
    generates = ConfigError(f"{options.config} configures a model that generates: name a classifier's configuration.")
    if "codec" in config:  # a classifier reads images as they are
        raise generates
    method = bind_method(config["method"], build_learners(config, data.facts), {}, data.facts)
    if method.sample is not None:
        raise generates
    points = utility.curve(method, steps, size, real, made, test, options.budgets, options.seeds, _tell)
    options.out.mkdir(parents=True, exist_ok=True)
    record, picture = options.out / "utility.json", options.out / "utility.svg"
    with naming(record):
        record.write_text(utility.to_json(points), "utf-8")
    with naming(picture):
        picture.write_text(_picture(points, len(real.labels)), "utf-8")
    print(f"the curve: {picture}")


def _tell(point: Point) -> None:
    value, low, high = point.accuracy
    budget = f"{point.budget:,}" if point.budget else "all"
    print(f"{budget:>7}  {point.source:<10} {value:.4f}   [{low:.4f}, {high:.4f}] of {point.examples:,} examples")


def _picture(points: list[Point], real: int) -> str:
    """The accuracy of each source over the labels that it takes; "all" stands at the number of real ones."""
    series = {
        source: sorted((float(point.budget or real), point.accuracy) for point in points if point.source == source)
        for source in SOURCES
    }
    return plot.curves(series, "labelled examples of the budget", "accuracy on real test images", log_x=True)
