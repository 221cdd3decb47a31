"""How each runtime is connected: what goes into its settings, or what its user is to run.

One file for each runtime; `settings_file.py` changes files, `json_text.py` changes JSON without writing it again.
"""
