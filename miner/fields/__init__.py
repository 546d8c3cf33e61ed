"""Fields: what is known of a unit beyond its text."""

from miner.fields.anchors import DEFAULT, Anchors, read_anchors
from miner.fields.making import make_fields
from miner.fields.reading import Fields, read_fields
from miner.fields.remaking import remake_fields
from miner.fields.space import open_encoder

__all__ = [
    "DEFAULT",
    "Anchors",
    "Fields",
    "make_fields",
    "open_encoder",
    "read_anchors",
    "read_fields",
    "remake_fields",
]
