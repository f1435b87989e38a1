"""Walking: footsteps, the plan of the divergent component of motion, adaptation of foothold and step time."""
