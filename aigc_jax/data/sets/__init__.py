"""One data set a file: a TFDS builder, and `load` whose keyword arguments are the section `data`.

A file is found by its name, so that a new data set is a new file here and a change nowhere.
"""
