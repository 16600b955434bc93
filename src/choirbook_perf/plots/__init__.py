"""Plots as inline SVG without scripts: text keeps its size at any width, colours come from the page."""
