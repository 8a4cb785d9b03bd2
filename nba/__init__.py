"""The core: playbook, features, policies, decisions, stores. Imports nothing of the folders above it."""
