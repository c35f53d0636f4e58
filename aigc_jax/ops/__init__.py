"""Pure mathematics on arrays: noise processes, likelihoods, samplers, augmentation. No networks."""
