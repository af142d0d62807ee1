"""Users' own fingerprints: what they cost beside the build's, and beside an nfstream plug-in."""
