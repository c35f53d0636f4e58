"""Drills that interrupt and damage real runs, many times over: see `python -m tests.soak --help`."""
