"""Pure helpers for text: wildcards, suggestions, escapes, token estimates."""
