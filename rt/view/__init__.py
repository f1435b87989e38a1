"""The cockpit: shows a running controller in a browser, and passes on what its user does there."""
