"""Units into models: rows for their ids, and training.

folder      a model folder to its tables        rows        parts to new rows
adopting    a model and a run to a model with the units of the run
tuning      a model and a corpus to one that knows it
packing     text to blocks of ids
training    the steps, stopped and resumed      templates   for those who train elsewhere
"""
