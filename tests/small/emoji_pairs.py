"""Packages of emoji with a few dozen drawings each."""

from small.emoji import section as section
