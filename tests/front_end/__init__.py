"""The demo with the Learner Record front end beside it, and what that expects of the LMS."""
