"""Addressable parts of documents: headings of markdown, named elements of XML."""
