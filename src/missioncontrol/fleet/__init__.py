"""The domain: agents, sessions, usage, tasks, leads, questions, and the sources that keep them up to date."""
