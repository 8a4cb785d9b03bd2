"""Propensity, next stage and churn: calibrated boosted trees, as pure functions of (table, settings, seed)."""
