"""Units into tokenizers: trained on them, checked, compared, told apart.

loading     a path to a tokenizer, whatever its format
"""
