//! Channels against servers of their own protocols on this machine: HTTP by Python's `http.server`, mail by aiosmtpd.
//!
//! The vendors' real servers were never reached from here; what these servers ask for is what the vendors' documents say.

mod dingtalk;
mod mail;
mod settings;
mod sms;
mod support;
mod together;
mod trouble;
mod webhook;
mod wecom;
