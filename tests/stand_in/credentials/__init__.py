"""A stand-in for Open edX Credentials: only the models and URLs that the app uses, as Credentials defines them."""
