"""The dashboard: one page for people, over what the workers count and what the library holds."""
