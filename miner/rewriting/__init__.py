"""Corpora to hyperword text and back.

matching    which of many texts stands here          kernel      lines to hyperword text and back
entries     what stands for what, and comes back     reading     a run or a dictionary to entries
streaming   files of any size, in blocks     inspecting  what a corpus is, and what it is enough for
"""
