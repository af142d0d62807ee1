"""The fingerprints' vectors: octets with a stated source and the verdict they must give.

Beside this file an installed package has the vector files themselves, one ``<fingerprint>.toml`` each.
"""
