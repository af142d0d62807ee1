"""What matching costs a head, and what it says of payload that is nobody's."""
