"""The project's own captures and the testbed that recorded them."""
