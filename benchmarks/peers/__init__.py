"""Choirbook beside alternatives that a team could use: the same document, the same load, in turns."""
