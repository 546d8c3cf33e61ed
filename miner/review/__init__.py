"""The wing for people: what do reviewers say of a run, and what comes of it?"""
