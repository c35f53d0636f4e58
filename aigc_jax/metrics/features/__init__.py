"""Networks whose features measures compare."""
