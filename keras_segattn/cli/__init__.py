"""The command line ``segattn``: one verb, one file."""
