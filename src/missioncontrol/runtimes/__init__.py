"""The runtimes of agents: one folder each, and what they share in reading transcripts and telemetry."""
