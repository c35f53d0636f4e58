"""What aigc_jax is measured against: `python -m benchmarks PIECE` runs a piece of work with ours and its peers."""
