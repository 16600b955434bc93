"""`choirbook top`: a running server's `/metrics`, live in a terminal or for programs."""
