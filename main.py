"""Train, evaluate and sample any configuration.

python main.py --config=configs/ddpm_cifar.py --workdir=runs/cifar --config.train.steps=1000
"""

import gc
import sys
import time

from aigc_jax import allocator

if __name__ == "__main__":
    allocator.prefer_tcmalloc()
BEGAN = time.time()
gc.set_threshold(50_000)  # a trace is many objects, and all stay: looking through them takes a seventh of tracing

from absl import flags  # noqa: E402 - the clock starts before the imports that take seconds
from ml_collections import config_flags  # noqa: E402

from aigc_jax import ahead, command  # noqa: E402

FLAGS = flags.FLAGS
config_flags.DEFINE_config_file("config", None, "Configuration file; ':tiny' after it gives its small twin.")
flags.DEFINE_string("workdir", None, "Folder for checkpoints, samples, measures and the report.")
flags.DEFINE_enum("mode", "train", ["train", "evaluate", "sample", "audit"], "What to do.")
flags.DEFINE_string("data_dir", None, "Folder of prepared data sets (default: $TFDS_DATA_DIR, ~/tensorflow_datasets).")
flags.DEFINE_bool("distributed", False, "Join the other processes of a TPU pod, SLURM job or GPU cluster.")


def main(argv: list[str]) -> None:
    """Parses the command line and runs the mode it asks for. Raises UserError."""
    config = command.parse(FLAGS, argv)
    command.prepare_jax(FLAGS.distributed)
    ahead.read_ahead(config, FLAGS.mode)
    from aigc_jax.build import build  # takes seconds: after the command line is known to be right
    from aigc_jax.train import loop, trained
    from aigc_jax.train.workdir import Workdir

    workdir = Workdir(FLAGS.workdir)
    run = build(config, FLAGS.data_dir, kept=workdir.kept())
    if FLAGS.mode == "train":
        loop.train(run, workdir, BEGAN)
    elif FLAGS.mode == "audit":
        from aigc_jax.evaluate import audit  # what it reads with takes seconds too

        audit.of_run(run, workdir)
    else:
        {"evaluate": trained.evaluate, "sample": trained.sample}[FLAGS.mode](run, workdir)


if __name__ == "__main__":
    command.leave(command.guarded(main, sys.argv))
