"""How a target is written for the network, one codec a file: `method.Codec`."""
