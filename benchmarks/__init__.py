"""Measurements of Mission Control next to its peers."""
