"""How high a model of replies ranks the true one among others that people gave elsewhere.

    python benchmarks/replies.py runs/t5_replies [--split=test] [--count=500] [--data_dir=…]

For each of `count` rows of the split the log-probability of the true reply and of 19 others is measured, by the token,
so that long replies are not less probable for their length alone: hits@1, hits@5 and the mean reciprocal rank. The
others are drawn with a fixed seed, the same for every model. A guess has hits@1 of 0.05.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from aigc_jax import experiments
from aigc_jax.build import build
from aigc_jax.metrics import ranking
from aigc_jax.metrics.bootstrap import interval
from aigc_jax.train import trained
from aigc_jax.train.workdir import Workdir

BATCH = 20  # rows of the data at a time, each with all of its candidates


def scores(workdir: Path, split: str, count: int, data_dir: str) -> np.ndarray:
    """Mean log-probability of a token of each candidate, [count, 20]; the first is the true one."""
    folder = Workdir(str(workdir))
    run = build(experiments.recorded(folder.config).to_dict(), data_dir, jax.local_devices()[:1], kept=folder.kept())
    state, method, data = trained.restore(run, folder), run.programs.method, run.data
    rows = data.splits[split][np.arange(min(count, len(data.splits[split])))]
    replies = data.made.values(rows[data.target]).tolist()
    chosen = ranking.candidates(replies)
    key = jax.random.key(0)

    @jax.jit
    def per_token(state, target, given):
        batch = data.prepare(key, {data.target: target, **given}, False)
        measured = method.evaluate(key, state, batch)["bits_per_char"]
        tokens = jnp.sum(batch.target[:, 1:] != data.made.facts["pad"], axis=1)
        return -measured.total / tokens

    found = []
    for start in range(0, len(replies), BATCH):
        some = chosen[start : start + BATCH]
        targets = rows[data.target][some.reshape(-1)]
        given = {name: np.repeat(rows[name][start : start + BATCH], some.shape[1], axis=0) for name in data.given}
        with jax.set_mesh(run.programs.layout.mesh):
            found.append(np.asarray(per_token(state, targets, given)).reshape(some.shape))
    return np.concatenate(found)


def main() -> None:
    """Reads the arguments and prints a line a figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--data_dir", default="")
    options = parser.parse_args()
    found = scores(options.workdir, options.split, options.count, options.data_dir)
    for name, estimate in (
        ("hits@1", ranking.hits(found, 1)),
        ("hits@5", ranking.hits(found, 5)),
        ("mean reciprocal rank", ranking.reciprocal_rank(found)),
    ):
        value, low, high = interval(estimate, 0)
        print(f"{name:<22} {value:.3f} [{low:.3f}, {high:.3f}] of {len(found)}")


if __name__ == "__main__":
    main()
