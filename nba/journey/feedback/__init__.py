"""What customers say, read by a machine: the pieces of a text, its language, sentiment and theme."""
