"""Measures of generated samples, and baselines to compare them with."""
