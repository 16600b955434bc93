"""The RSGI server side, for Granian: requests, streams, backpressure."""
