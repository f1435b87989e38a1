"""The whole-body quadratic program: its tables, its compiled assembly and its solvers."""
