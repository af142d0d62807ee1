"""How well flows are told: verdicts compared with what captures are known to hold."""
