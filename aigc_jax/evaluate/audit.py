"""An audit of samples for copies of training examples: a test, a verdict and the closest pairs."""

import base64
import html
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aigc_jax.data.grid import png, write_grid
from aigc_jax.errors import UserError, naming
from aigc_jax.metrics.features.extractor import Extractor
from aigc_jax.metrics.memorisation import LEVEL, Finding, Nearest, excess, nearest, nearest_images
from aigc_jax.train.run import JUDGING, Run
from aigc_jax.train.trained import restore
from aigc_jax.train.workdir import Workdir

SHOWN = 12  # samples, with
BESIDE = 5  # training examples each
ENLARGED = 96  # pixels of an image on the page

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse} td,th{padding:.3rem .8rem .3rem 0;text-align:center;font-weight:normal}
td:first-child{border-right:2px solid #ccc} td{font-size:13px;color:#555} img{display:block;image-rendering:pixelated}
"""


class Audit(NamedTuple):
    """The result of an audit."""

    finding: Finding
    closest: np.ndarray  # int64 [n], numbers of the samples of the lowest scores, lowest first
    near: Nearest  # of these: the training examples nearest to them
    scores: np.ndarray  # float64 [n], theirs
    train: int  # how many there were
    unseen: int
    made: int
    space: str  # what distances are of: "pixels", or an extractor's name
    seed: int

    @property
    def copies(self) -> bool:
        return self.finding.p_value <= LEVEL

    @property
    def verdict(self) -> str:
        """One sentence."""
        finding, share = self.finding, self.finding.detectable / self.made
        if self.copies:
            return (
                f"Samples repeat the training set: {len(finding.lowest):,} of {self.made:,} stand out as close to "
                f"single training examples, where unseen examples would give {finding.expected:.3g} "
                f"(p = {finding.p_value:.4g})."
            )
        if finding.detectable > self.made:
            return (
                f"Nothing can be said: {self.made:,} samples and {self.unseen:,} unseen examples are too few even if "
                "all were copies; take more."
            )
        return (
            f"No copies found (p = {finding.p_value:.4g}), though {finding.detectable:,} exact ones among the "
            f"{self.made:,} samples ({share:.2%}) would have been."
        )


def audit(train: np.ndarray, unseen: np.ndarray, made: np.ndarray, using: Extractor | None, seed: int) -> Audit:
    """Of images uint8 [N, H, W, C]: the training set, real ones that the model has not seen, and its samples.

    using: distances are of its features; None = of pixels. seed: of the test's random orders.
    Raises UserError for images of different shapes, and where there are too few.
    """
    for name, images in (("unseen", unseen), ("made", made)):
        if images.shape[1:] != train.shape[1:]:
            raise UserError(
                f"The training images are {list(train.shape[1:])} and the {name} ones {list(images.shape[1:])}: "
                "bring them to one size and colour."
            )
    queries = np.concatenate([made, unseen])
    near = nearest(using(train).features, using(queries).features) if using else nearest_images(train, queries)
    scores = near.scores
    closest = np.argsort(scores[: len(made)], kind="stable")
    return Audit(
        finding=excess(scores[len(made) :], scores[: len(made)], seed),
        closest=closest,
        near=near.of(closest),
        scores=scores[closest],
        train=len(train),
        unseen=len(unseen),
        made=len(made),
        space=using.name if using else "pixels",
        seed=seed,
    )


def of_run(run: Run, workdir: Workdir) -> None:
    """Mode `audit`: compares samples with the training and the evaluation split.

    They are as many as evaluation measures, or as sampling draws where it measures none.
    """
    state, train, heldout = restore(run, workdir), run.data.splits["train"], run.data.splits[run.evaluation.split]
    target = run.data.target
    if train.arrays is None or heldout.arrays is None or run.data.made.kind != "images":
        raise UserError(
            "An audit of a run takes images that fit into memory: write the samples to files, and use "
            '"aigc_jax audit TRAIN HELDOUT MADE".'
        )
    images, unseen = train.arrays[target], heldout.arrays[target]
    most = max((judge.count for judge in run.judges.values()), default=run.sampling.n)
    drawn = run.samples(state, most, JUDGING)
    made = np.concatenate([rows[target] for rows in drawn])
    found = audit(images, unseen, made, None, run.seed)
    print(found.verdict)
    print(f"the closest pairs: {write(found, images, made, workdir.audit)}")


def write(found: Audit, train: np.ndarray, made: np.ndarray, folder: Path) -> Path:
    """Writes audit.json, closest.png and audit.html into the folder; returns the page. Images as `audit` has them.

    In the picture each row is a sample and then the training images nearest to it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    numbers = found.closest[:SHOWN]
    beside = found.near.examples[:SHOWN, :BESIDE]
    rows = np.concatenate([made[numbers][:, None], train[beside]], axis=1)
    write_grid(rows.reshape(-1, *made.shape[1:]), folder / "closest", rows.shape[1])
    page, record = folder / "audit.html", folder / "audit.json"
    with naming(record):
        record.write_text(json.dumps(described(found), indent=2, sort_keys=True) + "\n", "utf-8")
    with naming(page):
        page.write_text(_page(found, rows), "utf-8")
    return page


def described(found: Audit) -> dict:
    """The audit as JSON has it: suspicious samples with the training example that each is nearest to."""
    finding = found.finding
    suspicious = range(len(finding.lowest)) if found.copies else range(0)
    return {
        "verdict": found.verdict,
        "p_value": finding.p_value,
        "copies": found.copies,
        "expected": finding.expected,
        "detectable": finding.detectable,
        "space": found.space,
        "train": found.train,
        "unseen": found.unseen,
        "made": found.made,
        "seed": found.seed,
        "suspicious": [
            {
                "sample": int(found.closest[row]),
                "example": int(found.near.examples[row, 0]),
                "distance": float(found.near.distances[row, 0]),
                "score": float(found.scores[row]),
            }
            for row in suspicious
        ],
    }


def _page(found: Audit, images: np.ndarray) -> str:
    unit = "root mean square of grey levels" if found.space == "pixels" else f"features of {found.space}"
    rows = []
    for row, (sample, *examples) in enumerate(images):
        cells = [f"{_image(sample)}sample {found.closest[row]}<br>score {found.scores[row]:.3f}"]
        for place, example in enumerate(examples):
            number, distance = found.near.examples[row, place], found.near.distances[row, place]
            cells.append(f"{_image(example)}example {number}<br>{distance:.4g}")
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Audit</title>'
        f"<style>{STYLE}</style><h1>Audit for copies</h1><p><b>{html.escape(found.verdict)}</b></p>"
        f"<p>{found.made:,} samples, {found.train:,} training and {found.unseen:,} unseen examples. The samples whose "
        f"nearest training example stands out most, beside their nearest ones; distances: {html.escape(unit)}. A score "
        f"is the distance to the nearest over the mean distance to the nearest {found.near.distances.shape[1]}.</p>"
        f"<table>{''.join(rows)}</table></html>\n"
    )


def _image(image: np.ndarray) -> str:
    data = base64.b64encode(png(image).getvalue()).decode()
    return f'<img alt="" width="{ENLARGED}" src="data:image/png;base64,{data}">'
