"""A run on disk: how does it lie there, and what is in it?"""
