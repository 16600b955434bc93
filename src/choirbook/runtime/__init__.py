"""Tasks, threads, descriptor limits and quotas: what a process has to share."""
