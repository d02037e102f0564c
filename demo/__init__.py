"""A small Credentials-style service that installs credit_pathways. Not for production."""
