//! Trend detection and risk models. Pure: seed and `now` are parameters.
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
pub mod drift;
pub mod effect;
mod error;
pub mod forest;
mod interval;
pub mod logistic;
mod matrix;
pub mod metrics;
mod model;
mod split;
pub mod visit;

pub use audit::audit;
pub use backtest::backtest;
pub use boost::Boost;
pub use calibrate::{Isotonic, Past};
pub use card::{Card, Dates};
pub use drift::drift;
pub use effect::effect;
pub use error::Error;
pub use forest::Forest;
pub use interval::Estimate;
pub use logistic::Logistic;
pub use matrix::{Cell, Matrix, RowKey, SENSITIVE, refuse_leaks, refuse_sensitive, suspects};
pub use model::{Contributions, FORMAT, Kind, RiskModel, Scale, from_bytes, train};
pub use split::{Fate, History, Horizon, Split, fate, split};
pub use visit::recall_vs_visit;
