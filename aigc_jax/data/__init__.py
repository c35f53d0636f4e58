"""Data sets, and streams of batches that can be sought by step. Nothing here holds device memory."""
