"""Is this host fit for 1 kHz?"""
