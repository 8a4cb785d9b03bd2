"""The SQL store: SQLAlchemy Core over SQLite. The only folder that imports SQLAlchemy and Alembic."""
