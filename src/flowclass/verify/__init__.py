"""tshark's second opinion on whole captures: flows, counts, times and protocols, compared with ours."""
