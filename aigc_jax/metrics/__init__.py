"""Measures of what models generate, and baselines to hold them against."""
