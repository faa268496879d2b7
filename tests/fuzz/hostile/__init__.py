"""Hostile input: programs of host calls, modules and bytes, from seeds."""
