"""Where customers stand, how they move between stages, and how long they stay."""
