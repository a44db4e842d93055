"""Doing runs: members by name, tasks, the oracle, and the store of results."""
