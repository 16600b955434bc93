"""Comparison of two servers that are alive at the same time and loaded in turns (`choirbook perf ab`).

`subjects` starts them, `slices` loads one for seconds, `schedule` says in which order, `results` is the
file, and `judging` makes the statistics. `running` puts these together, and `show` prints.
"""
