"""Propensity, next stage and churn: calibrated trees, each a pure function of (table, settings, seed)."""
