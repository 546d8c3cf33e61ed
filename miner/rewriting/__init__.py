"""Corpora to hyperword text and back, what a corpus is, and made-up ones.

matching    which of many texts stands here          kernel      lines to hyperword text and back
patterns    expressions and words near each other    forms       words to all their forms
entries     what stands for what, and comes back     reading     a run or a dictionary to entries
styling     signs of their own, near ones alike      streaming   files of any size, in blocks
jobs        what a command asks for                  inspect*    what a corpus is enough for
synth/      made-up languages with their key
"""
