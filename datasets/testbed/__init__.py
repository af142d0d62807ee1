"""Runs real programs against each other in network namespaces, records them, and labels the flows.

A scenario (``scenarios/<name>.toml``) names a program (``programs/<name>.py``), the addresses of both
ends and the program's options. Labels follow from what was started where, never from a classifier.
"""
