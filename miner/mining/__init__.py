"""Pre-tokens to units: which runs act as one, and what proves it?"""
