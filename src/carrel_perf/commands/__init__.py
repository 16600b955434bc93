"""The commands of `carrel perf`, one a module, each with `register(app)`."""
