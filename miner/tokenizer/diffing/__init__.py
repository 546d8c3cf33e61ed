"""Two tokenizers to what tells them apart: may one take the place of the other?

sides       a tokenizer as what can be compared     ids      pieces, ids, additions
findings    a difference and how bad it is          steps    normalizer, cuts, decoder
cuts        texts to ids, guarded                   rules    model, merges, scores
sample      texts to measure on                     roles    special tokens, template, config
effect      what changes on the sample              reach    tokens that no text becomes
difference  all of it, and the verdict              weights  rows of the model for new ids
view        for people and for programs
"""

from miner.tokenizer.diffing.difference import Difference, diff_tokenizers
from miner.tokenizer.diffing.findings import EXAMPLES, SEVERITIES, Finding, Severity
from miner.tokenizer.diffing.sample import SAMPLE, read_sample
from miner.tokenizer.diffing.view import describe_difference, record_difference

__all__ = [
    "EXAMPLES",
    "SAMPLE",
    "SEVERITIES",
    "Difference",
    "Finding",
    "Severity",
    "describe_difference",
    "diff_tokenizers",
    "read_sample",
    "record_difference",
]
