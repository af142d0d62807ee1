"""Look-ups of addresses in registries of 20,000 to 1,000,000 prefixes, beside other programs' in the same run."""
