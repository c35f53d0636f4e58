"""The commands of `python -m aigc_jax.evaluate`: each has `arguments(parser)` and `run(options)`."""
