"""Learn to read what customers say, and report on what they said."""
