"""The whole-body controller: builds the problem of a robot, solves it and explains infeasible ones."""
