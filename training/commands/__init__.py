"""The sub-commands of the offline pipeline, one module each."""
