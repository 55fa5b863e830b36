//! Watching a file: its content, reported when it has changed and come to rest.
//!
//! A [`FileWatch`] knows neither documents nor clocks nor threads: it is polled, with the time as an argument.
//! [`FileWatch::spawn`] polls it on a thread.

mod debounce;
mod file;
mod thread;

pub use file::{Change, FileWatch};
pub use thread::WatchHandle;
