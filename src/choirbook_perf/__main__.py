"""Entry point of `python -m choirbook_perf`, for use without Choirbook."""

from choirbook_perf.cli import main

if __name__ == "__main__":
    main()
