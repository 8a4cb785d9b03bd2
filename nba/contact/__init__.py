"""Contact rules: consent, caps, quiet hours, timing; the ledger as arrays."""
