"""What several motions share: time profiles and remarks to the operator."""
