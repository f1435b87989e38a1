"""Changes to a running controller: gains that are watched, checked and handed over."""
