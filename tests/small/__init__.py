"""Small files in place of what configurations read: <data set>.py has `section`. A data set without one is small.

section(data, folder) -> the configuration's section `data`, on files that it writes into the folder
"""
