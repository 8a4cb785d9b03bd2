"""Stores: ports, and the adapters behind them."""
