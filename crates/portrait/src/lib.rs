//! Measures that SQL says badly, each written once: pure functions from numbers to numbers.
//!
//! One student's history goes in, one number comes out; only [`edges`] reads everybody at once. Knows nothing of tables,
//! files, clocks or names. `None` is "cannot be said" and is stored as NULL, never as 0. No function panics on data, and
//! every answer is the same for the same rows in any order, except where the order is the data ([`actual_entropy`]).
//!
//! - [`actual_entropy`]: how little a sequence of half-hours repeats itself.
//! - [`hour_entropy`]: how evenly events spread over the hours of the day.
//! - [`mean_minute`], [`concentration`]: the usual time of day, and how firmly it is kept.
//! - [`presence_regularity`]: how alike two days in a row are, in or out of the dormitory.
//! - [`gap_surprise`]: how unusual a silence is against a student's own silences.
//! - [`theil_sen`]: a slope that one odd term does not bend.
//! - [`median`], [`mad`]: the middle, and the usual distance from it.
//! - [`meals`], [`slot_bands`]: which purchases are one meal, and which meal it is in this canteen.
//! - [`edges`]: who eats together more often than their timetables explain.
//! - [`poisson_tail`]: how likely at least so many are by chance.

mod circular;
mod co_occurrence;
mod meals;
mod middle;
mod orderliness;
mod poisson;
mod presence;
mod silence;
mod slope;

pub use circular::{concentration, mean_minute};
pub use co_occurrence::{Config, Edge, Swipe, edges};
pub use meals::{Bands, MealSlot, meals, slot_bands};
pub use middle::{mad, median};
pub use orderliness::{actual_entropy, hour_entropy};
pub use poisson::poisson_tail;
pub use presence::{Passage, Regularity, presence_regularity};
pub use silence::gap_surprise;
pub use slope::theil_sen;
