"""The scenarios of `tests.process` at full length; `make stress` runs them."""
