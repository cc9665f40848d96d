"""From shared secrets and transcripts to traffic keys."""
