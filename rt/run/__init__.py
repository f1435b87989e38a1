"""One run: the session that puts robot, estimator, controller, loop and recorder together."""
