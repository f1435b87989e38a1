"""Running the controller: sessions that combine robot, estimator, controller, loop and recorder."""
