//! The only place where an error becomes an exit code.

use schema::Blame;

/// A mistake of the caller that no library found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Caller(pub(crate) String);

/// Try again later.
pub(crate) const LATER: u8 = 75;

/// 128 and the number of the signal with which the system ends a program whose output nobody reads.
const UNREAD: i32 = 141;

/// 0 well, 1 our bug, 2 the caller's to mend, 75 try again later.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    let blame = error.chain().find_map(|it| {
        let blame = it
            .downcast_ref::<schema::Error>()
            .map(schema::Error::blame)
            .or_else(|| it.downcast_ref::<ingest::Error>().map(ingest::Error::blame))
            .or_else(|| it.downcast_ref::<store::Error>().map(store::Error::blame))
            .or_else(|| it.downcast_ref::<lake::Error>().map(lake::Error::blame))
            .or_else(|| it.downcast_ref::<wal::Error>().map(wal::Error::blame))
            .or_else(|| it.downcast_ref::<engine::Error>().map(engine::Error::blame))
            .or_else(|| it.downcast_ref::<transform::Error>().map(transform::Error::blame))
            .or_else(|| it.downcast_ref::<policy::Error>().map(policy::Error::blame))
            .or_else(|| it.downcast_ref::<serve::Error>().map(serve::Error::blame))
            .or_else(|| it.downcast_ref::<simulate::Error>().map(simulate::Error::blame));
        let is_caller = it.is::<Caller>() || it.is::<crate::settings::Unknown>() || it.is::<crate::project::UnknownPack>();
        blame.or(is_caller.then_some(Blame::Caller)).or(it.is::<std::io::Error>().then_some(Blame::World))
    });
    match blame {
        Some(Blame::Caller) => 2,
        Some(Blame::World) => LATER,
        Some(Blame::Us) | None => 1,
    }
}

/// Where output goes to a program that has read enough (`yizhan doctor | head`), ends as programs do that the system ends for
/// that, in place of telling of a panic.
pub(crate) fn when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let is_unread = |it: &str| it.starts_with("failed printing to stdout") && it.contains("Broken pipe");
        if panic.payload_as_str().is_some_and(is_unread) {
            std::process::exit(UNREAD);
        }
        usual(panic);
    }));
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
