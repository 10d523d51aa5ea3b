//! Where long work of a server is done: builds, upkeep and the night, on threads of their own.
//!
//! A build keeps a thread busy for tens of milliseconds at a time. Whoever pushes or reads would wait for it if it were a thread
//! of theirs; as one of several threads it is interrupted by the system as soon as something short is to be done.

use anyhow::Context;
use tokio::runtime::{Builder, Handle, Runtime};

/// Stack of a thread: plans of wide queries are deep.
const STACK_BYTES: usize = 8 << 20;

/// Threads that end with the server.
#[derive(Debug)]
pub(crate) struct Background {
    /// Taken when it ends.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// As many threads as the machine has cores.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let runtime = runtime("background").context("no threads for builds")?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // What is under way ends in a commit or not at all, and waiting is not for a thread that serves.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Threads under a name that lists of processes show.
///
/// # Errors
/// If the system gives no threads.
pub(crate) fn runtime(name: &str) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).thread_name(name).build()
}
