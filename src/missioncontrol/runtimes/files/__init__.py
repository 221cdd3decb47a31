"""Reading files that a runtime is writing: JSONL, SQLite databases, compressed archives."""
