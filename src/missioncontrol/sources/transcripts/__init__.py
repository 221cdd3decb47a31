"""Readers of what agent runtimes leave behind: transcripts in JSONL and SQLite, and where they lie."""
