"""Products, convolutions and attention, arranged for the device that runs them."""
