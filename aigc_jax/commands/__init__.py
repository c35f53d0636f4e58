"""Commands over files, finished runs and data: a module each, with `arguments(parser)` and `run(options)`.

`aigc_jax COMMAND` and `python -m aigc_jax.evaluate COMMAND` run them.
"""
