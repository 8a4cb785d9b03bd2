"""The journey: stages, and the scores that say where a customer is heading."""
