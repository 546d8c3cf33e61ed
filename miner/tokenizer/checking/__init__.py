"""What a tokenizer promises, tried: does each unit come out as one id?"""
