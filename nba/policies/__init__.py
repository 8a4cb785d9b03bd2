"""Policies: features and eligible arms in, odds out."""
