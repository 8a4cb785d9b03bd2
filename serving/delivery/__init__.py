"""Delivery: messages of the outbox to the playbook's targets, at least once each, by `nba deliver`."""
