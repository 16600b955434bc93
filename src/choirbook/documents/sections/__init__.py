"""The parts of a document that have addresses of their own: headings of markdown, named elements of XML."""
