"""What aigc_jax is measured against. `python -m benchmarks PIECE` runs one piece of work with ours and with its peers."""
