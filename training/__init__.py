"""The offline pipeline: history in, models and policies out."""
