"""A tokenizer on disk to one that cuts texts, and what its card says."""
