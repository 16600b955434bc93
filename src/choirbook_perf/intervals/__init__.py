"""Confidence intervals of what one run shows. Pure."""
