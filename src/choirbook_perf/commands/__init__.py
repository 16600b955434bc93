"""The commands of `choirbook perf`, one a module, each with `register(app)`."""
