//! Room for requests with events: so many at once, and of one pipeline only a part.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests of one pipeline wait for each other, so whoever floods it would take up all the room and keep all others out:
/// each has half of it at most.
#[derive(Debug, Clone)]
pub(crate) struct Rooms {
    all: Arc<Semaphore>,
    share: usize,
    of_pipeline: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

/// Room that a request takes up while it lives.
#[derive(Debug)]
pub(crate) struct Room {
    _own: OwnedSemaphorePermit,
    _shared: OwnedSemaphorePermit,
}

impl Rooms {
    pub(crate) fn new(rooms_n: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(rooms_n)), share: rooms_n.div_ceil(2), of_pipeline: Arc::default() }
    }

    /// Room for a request that pushes to a pipeline, if there is some.
    pub(crate) fn take(&self, pipeline: &str) -> Option<Room> {
        let own = {
            let mut lanes = self.of_pipeline.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.entry(pipeline.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.share))).clone()
        };
        let own = own.try_acquire_owned().ok()?;
        let shared = self.all.clone().try_acquire_owned().ok()?;
        Some(Room { _own: own, _shared: shared })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_pipeline_leaves_room_for_the_others() {
        let rooms = Rooms::new(5);
        let flood: Vec<Room> = std::iter::from_fn(|| rooms.take("card_txn")).collect();
        assert_eq!(flood.len(), 3);
        let other = [rooms.take("gate_event"), rooms.take("gate_event")];
        assert!(other.iter().all(Option::is_some));
        assert!(rooms.take("device_heartbeat").is_none(), "all of it is taken");
        drop(flood);
        assert!(rooms.take("device_heartbeat").is_some() && rooms.take("card_txn").is_some());
        assert!(Rooms::new(1).take("gate_event").is_some());
    }
}
