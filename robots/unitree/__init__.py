"""Robots of Unitree: their public low-level messages over DDS, and the bridge to the wire protocol."""
