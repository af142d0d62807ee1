"""What each stage costs, by leaving it out: the same trace through ever more of the pipeline."""
