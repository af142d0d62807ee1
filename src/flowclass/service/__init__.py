"""What a run that goes on for months has around it: status, metrics, health, the manager's notices, rights given up."""
