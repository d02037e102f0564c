"""Learners of an Open edX Credentials-style service ask universities for credit for a program."""

__version__ = "0.1.0"
