"""A host app with models of the same names as the app's and default reverse names, as Open edX Credentials has."""
