"""Live runs under load, in a network namespace of their own: many packets without loss, a long flood of new flows."""
