"""Plots as inline SVG that needs no script: text keeps its size at any width, colours come from the page."""
