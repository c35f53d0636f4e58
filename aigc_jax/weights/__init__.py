"""Formats in which networks are published, a file each, found by `model_type` of their config.json."""
