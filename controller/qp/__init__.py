"""The whole-body quadratic program: compiled kinematics, assembly, solvers and checks."""
