"""Units into tokenizers: trained on them, checked, compared, told apart.

training    a run and a corpus to a tokenizer           loading     any tokenizer, as data
units       what must stay whole                        checking    what holds, what fails
entries     in which spellings, in which order          check_view  the same as a table
measuring   how many of them, by held-back text         contexts    where units were found
normal_form one look for a word in all places           scenes      several scenes in one text
trie_regex  one expression for all units                extending   a pretrained one, no id moved
hugging_face, sentence_piece   what the trainers do     comparing   which of several is better?
fewest, superwords             the shortest cut         diffing     what would break in a model?
building    a file of each trainer                      texts, card corpus in, folder out
"""
