"""Watching folders: notifications of the file system, scans, ignore rules. Nothing here knows of agents."""
