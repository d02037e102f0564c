"""The demo with the Learner Record front end, and the endpoints of the LMS that it needs."""
