"""`choirbook top`: a running server as its `/metrics` show it, live in a terminal or for programs."""
