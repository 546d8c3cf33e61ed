"""Text to pre-tokens: what are the smallest things in it, whatever its script?"""
