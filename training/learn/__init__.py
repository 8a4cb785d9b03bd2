"""The continuous loop: learn from what has matured, judge, publish, watch, roll back."""
