"""Editing JSON as text: what is changed is written, and everything else stays as it is."""
