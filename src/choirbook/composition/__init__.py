"""How the composition root makes what takes more than a line: settings -> objects."""
