"""Texts and rows to vectors: where does each lie, and what is near it?"""
