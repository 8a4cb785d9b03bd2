"""The sub-commands that serving brings to `nba`, one module each."""
