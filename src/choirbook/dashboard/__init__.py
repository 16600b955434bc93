"""Dashboard: a web page with the metrics of all workers and the library's content."""
