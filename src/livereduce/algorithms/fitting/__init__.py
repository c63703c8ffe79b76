"""Functions, their least squares, and peaks: Fit, FitPeak, FindPeaks, StripPeaks."""
