"""Ends that no ready-made program gives: small programs on a protocol library, run inside a host."""
