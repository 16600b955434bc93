"""Cache levels between a read and the source."""
