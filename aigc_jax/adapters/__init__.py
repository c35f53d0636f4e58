"""Ways to train a few numbers beside weights that stay as they are, a file each."""
