"""`python -m choirbook_perf`, for where Choirbook itself is not installed."""

from choirbook_perf.cli import main

if __name__ == "__main__":
    main()
