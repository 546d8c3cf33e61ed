"""Units and text to a tokenizer in which each unit is one id."""
