"""What another registry, policy, date or build made of the flows of a run: two runs, flow by flow."""
