//! What is offered to people, how sure it is, and what it cost. Pure: rows, seed and `now` are parameters.
//!
//! Trends hold a student's own weeks against the past and clear them of what moved everybody ([`signals`]); [`offers`]
//! bundles what was found and keeps to what people have hours for.
//!
//! Risk models, in the order in which they are used: [`Matrix`] says what a model may read, [`split`](fn@split) what it
//! may learn from, [`train`] fits one, [`Isotonic`] turns scores into probabilities, [`backtest`](fn@backtest) says
//! whether it is worth anything, [`Card`] writes that down. [`drift`](fn@drift), [`audit`](fn@audit),
//! [`recall_vs_visit`] and [`effect`](fn@effect) watch it afterwards.

pub mod audit;
pub mod backtest;
pub mod boost;
mod calibrate;
mod card;
mod config;
mod decision;
mod draw;
pub mod drift;
pub mod effect;
mod environment;
mod error;
mod followed;
pub mod forest;
mod interval;
pub mod logistic;
mod matrix;
pub mod metrics;
mod middle;
mod model;
mod offer;
mod rank;
mod split;
mod trend;
mod tune;
pub mod visit;
mod words;

pub use audit::audit;
pub use backtest::backtest;
pub use boost::Boost;
pub use calibrate::{Isotonic, Past};
pub use card::{Card, Dates, SeenByVisits};
pub use config::{Capacity, Config, ModelRules};
pub use decision::{Before, Decided, Decision, Finding};
pub use draw::{Draw, Random};
pub use drift::drift;
pub use effect::effect;
pub use environment::{Notice, Rules as EnvironmentRules};
pub use error::Error;
pub use followed::{Followed, OF_EITHER_MIN, followed};
pub use forest::Forest;
pub use interval::Estimate;
pub use logistic::Logistic;
pub use matrix::{Cell, Matrix, RowKey, SENSITIVE, refuse_leaks, refuse_sensitive, suspects};
pub use model::{Contributions, FORMAT, Kind, RiskModel, Scale, from_bytes, train};
pub use offer::{Candidate, Issued, Offer, Offers, Rules as OfferRules, offers};
pub use rank::{Evidence, LearnRules, Outcomes, Placed, Together, Witness, rarity, worth};
pub use split::{Fate, History, Horizon, Split, fate, split};
pub use trend::{Input, Member, Rules as TrendRules, Signal, Told, Trend, Week, signals};
pub use tune::{Level, Tuned, WEEKS_MIN, tune};
pub use visit::recall_vs_visit;
pub use words::{Learnt, agreed, frozen, reason, said};
