"""`python -m carrel_perf`, for where Carrel itself is not installed."""

from carrel_perf.cli import main

if __name__ == "__main__":
    main()
