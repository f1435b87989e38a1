"""Talking to a robot: the wire protocol, links, drivers, and bridges to makers' arms."""
