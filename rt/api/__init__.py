"""A 1 kHz whole-body controller for bipeds and arms."""

if __name__ != "kilohertz":
    raise ImportError("this package is installed as 'kilohertz': import that")
