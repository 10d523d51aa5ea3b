//! One file a resource.

pub(crate) mod absences;
pub(crate) mod archive;
pub(crate) mod cases;
pub(crate) mod catalog;
pub(crate) mod cockpit;
pub(crate) mod delegations;
pub(crate) mod follow_ups;
pub(crate) mod hand_overs;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod ledger;
pub(crate) mod lineage;
pub(crate) mod lists;
pub(crate) mod login;
pub(crate) mod models;
pub(crate) mod notices;
pub(crate) mod observations;
pub(crate) mod openapi;
pub(crate) mod portrait;
pub(crate) mod quality;
pub(crate) mod record;
pub(crate) mod roster;
pub(crate) mod runs;
pub(crate) mod students;
pub(crate) mod tickets;
pub(crate) mod warnings;
