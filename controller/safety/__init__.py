"""Safety between the solver and the drives: torque guard, ladder of fallbacks, fall detection."""
