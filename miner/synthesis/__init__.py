"""A made-up language with its answer key: what would a miner have to find?

alphabet    letters, syllables, signs                   grammar     rules with weights
words       classes of words, their endings             language    all of these from one seed
units       what is planted, and its parts              lines       blocks of lines, as bytes
frequencies how often the first is drawn, and the last  writing     the folder: corpus, key, grammar
"""
