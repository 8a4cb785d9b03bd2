"""Rewards: what outcomes are worth by the playbook, and when they are known."""
