"""The registrar's desk: applications, decisions and their history in one SQLite file."""
