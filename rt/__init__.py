"""When: the loop, the host, histograms and the command line."""

from rt.threads import limit_math_threads

# Here, because this file runs before any module of the room imports numpy, and BLAS reads them only once.
limit_math_threads()
