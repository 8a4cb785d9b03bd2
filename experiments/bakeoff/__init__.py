"""Bandits on labelled data: each class is an arm, and the learner sees the loss of the arm drawn alone.

Plays our default policy against rivals round by round and ranks them by progressive error. Keeps out what
serves: nothing here is imported by the engine.
"""
