"""A run to one page: what was found, why, and what was refused?

One HTML file that needs nothing else: no script, no font, no network. Its content policy forbids
them too, so that a corpus full of markup stays text. Nothing from the corpus stands in an
attribute.

screen              texts and numbers to columns
text                texts to HTML                 units, sections   the parts of the page
charts, map         figures to pictures           style, page       its look, and all of it
"""
