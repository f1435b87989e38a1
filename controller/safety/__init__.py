"""What stands between a solution and the drives: guard, ladder of fallbacks, fall detection."""
