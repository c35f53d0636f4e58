"""Ask people which of two samples is better: a page of pairs, the answers to it, and what they say."""
