"""Segments and personas: find them in the history, say what sets them apart, publish what serves them."""
