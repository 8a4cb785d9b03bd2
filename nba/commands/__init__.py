"""Sub-commands of the core."""
