"""Commands over files, finished runs and data: a module each, with `arguments(parser)` and `run(options)`.

`aigc_jax COMMAND` and `aigc_jax COMMAND` run them.
"""
