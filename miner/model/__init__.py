"""Units into models: what they mean, rows for their ids, and training.

folder      a model folder to its tables        rows        parts to new rows
adopting    a model and a run to a model with the units of the run
"""
