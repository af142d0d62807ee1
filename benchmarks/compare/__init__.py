"""Beside the peers: the same traces through every flow tool that is installed, in one run.

Takes nothing but the captures in `datasets` (and public ones where they lie beside the checkout). Gives a table of
processor time, wall time and memory, each as a multiple of a floor program that only walks, parses, hashes and counts.
"""
