"""The trainer: loop, compilation over a mesh, checkpoints, reports. It knows no family."""
