//! Messages to staff.
