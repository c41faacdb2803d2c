"""What every part uses and what knows no part: clock, files, event log, logs, redaction, settings."""
