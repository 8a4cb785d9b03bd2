"""The steps, oldest first; `nba/stores/sql/migrate.py` lists them too."""
