"""What torque: tasks, contacts, limits, the QP, behaviours and the guard."""
