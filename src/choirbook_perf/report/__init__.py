"""Reports: result files in, one self-contained HTML page out."""

from choirbook_perf.report.page import page

__all__ = ["page"]
