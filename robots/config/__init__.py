"""Configuration files: YAML with line numbers, and errors that name file, line and remedy."""
