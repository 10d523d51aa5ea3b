//! What is offered to people: trends of their own weeks, held against their past and cleared of what moved everybody.
//!
//! Pure: rows, seed and `now` are parameters; no lake, clock or environment.

mod config;
mod environment;
mod middle;
mod offer;
mod trend;
mod words;

pub use config::{Capacity, Config};
pub use environment::{Notice, Rules as EnvironmentRules};
pub use offer::{Candidate, Issued, Offer, Offers, Rules as OfferRules, offers};
pub use trend::{Input, Member, Rules as TrendRules, Signal, Told, Trend, Week, signals};
pub use words::{reason, said};
