"""The catalog of resources: URIs, rules that assign them, changesets, cursors."""
