"""Statistics of comparisons, for samples of any origin. Pure.

`shifts` has estimates and exact intervals, `autocorrelation` what dependence costs, and `decisions` makes
outcomes of them.
"""
