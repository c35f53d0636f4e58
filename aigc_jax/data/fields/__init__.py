"""Kinds of fields, one a file."""
