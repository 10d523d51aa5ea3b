//! Trend detection and risk models. Pure: seed and `now` are parameters.
