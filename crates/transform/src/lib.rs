//! Runs `sql/`: graph, plan check, full and incremental builds, checks, lineage.
//!
//! In come pipelines, models and the lake; out come tables. It builds as the system, takes no SQL from users, and knows
//! neither files at the door nor people at the window.

mod again;
mod ahead;
mod build;
mod effect;
mod error;
mod graph;
mod inputs;
mod issued;
mod live;
mod meaning;
mod measures;
mod node;
mod planned;
mod purposes;
mod risk;
mod seen;
mod soundness;
mod staging;
mod standing;
mod state;
mod warnings;
mod words;

pub use again::{Again, Lacking, Removed};
pub use ahead::{LiveBuild, Writes};
pub use build::{Action, Builder, Built, Config, Progress, Violation};
pub use effect::FollowedUp;
pub use error::Error;
pub use graph::Graph;
pub use live::{Staged, StagedTable};
pub use node::Node;
pub use purposes::{BeyondPurpose, beyond_purpose};
pub use risk::{Backtested, Input, ModelState, Risk, Scored, Trained, rescored};
pub use warnings::sql_hash;
