"""Generative families, one a file. None imports another."""
