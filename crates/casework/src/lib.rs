//! Rules of casework. Pure: `now` is a parameter.
