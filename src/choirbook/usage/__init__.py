"""Records of reads, clients and searches without results: counted in memory, kept in one SQLite file."""
