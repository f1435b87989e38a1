"""Walking: footsteps, the divergent component of motion over them, steps that adapt in place and time."""
