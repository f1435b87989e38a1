"""Parts that several motions share: time profiles, posture reference and messages to the operator."""
