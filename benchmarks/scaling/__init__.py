"""How cost grows: with packets, flows, flows at once, prefixes, threads; and what that says for a fast link."""
