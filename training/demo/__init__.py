"""The demo: the built-in world's customers live through the real commands and the real API.

Nothing here decides or learns; it drives `nba` as a user would and asks the world what came of it.
"""
