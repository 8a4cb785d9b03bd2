"""The console at /console: what journey managers read. Server-rendered, behind a log-in, read-only.

A page is one file under `pages/` and one line in its table. Pages run in threads of their own, read the
newest rows up to a bound, and keep what they read for some seconds, so that no decision waits for a page.
"""
