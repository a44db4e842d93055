"""The verbs: what the command line, a notebook, a study and a plugin call; frames in and out.

Each verb is a file, and a name of `bench` (see `bench.__getattr__`). Frames are those of pandas; a
verb's docstring says which columns they have.
"""
