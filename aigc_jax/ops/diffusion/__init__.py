"""Diffusion and flow, of parts that combine: a process, what a network predicts, laws and weights of training times,
samplers, guidance.

Everything is about one family of distributions, from the data at one end to noise at the other:

    x_t = α(t) x_0 + σ(t) ε,    ε ~ N(0, I),    λ(t) = log(α / σ) falls with t.
"""
