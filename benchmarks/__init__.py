"""Scripts whose printed tables are the README's numbers: `python -m benchmarks.<name>`."""
