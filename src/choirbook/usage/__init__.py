"""What is read, by whom, and what is searched for in vain: counted in memory, kept in one SQLite file."""
