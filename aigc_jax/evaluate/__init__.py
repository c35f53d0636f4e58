"""Whole evaluations: samples against data, audits, and what is made from their records."""
