"""Impact: what the policy is worth against its standing alternatives, on live traffic."""
