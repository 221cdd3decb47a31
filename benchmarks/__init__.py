"""Measurements of Mission Control beside its peers."""
