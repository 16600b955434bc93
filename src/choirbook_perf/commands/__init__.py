"""Commands of `choirbook perf`, one per module, each with `register(app)`."""
