"""`nba evaluate`: what policies would have earned, from the decisions that others made."""
