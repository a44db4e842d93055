"""What is checked and measured on a GPU, by one command: `bash tools/gpu.sh FOLDER`.

It needs torch, triton and numpy, and nothing else: a machine with a GPU may be bare.
"""
