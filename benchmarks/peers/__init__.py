"""Choirbook beside what a team could use instead: the same document, the same load, by turns."""
