"""Full-text search over titles, headings and bodies."""
