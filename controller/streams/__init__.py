"""Streams of targets to a running controller: what another program sends at 1 Hz to 1 kHz."""
