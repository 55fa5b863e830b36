//! Watching a file: what it says now, told when it has changed and come to rest.
//!
//! A [`FileWatch`] knows nothing of documents, clocks or threads: it is asked with the time passed in.
//! [`FileWatch::spawn`] lends it a thread.

mod driver;
#[cfg(all(feature = "notify", target_os = "linux"))]
mod events;
mod file;
mod live;
mod steady;

pub use driver::Watching;
pub use file::{Change, FileWatch};
pub use live::Reload;
