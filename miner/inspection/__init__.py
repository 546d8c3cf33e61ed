"""A corpus told before it is mined: what is it, and for what is it enough?"""
