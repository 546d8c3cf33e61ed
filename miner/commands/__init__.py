"""The command line: words to one call of the library each."""
