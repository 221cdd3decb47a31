"""Fuzzers: hostile input for every reader of what others write, against a real server and against the parsers alone."""
