"""The playbook: the one YAML file in which a company says what it wants, may do and must not do."""
