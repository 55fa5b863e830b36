//! The measurements, one question per file.

pub(crate) mod calls;
pub(crate) mod claims;
pub(crate) mod clocks;
pub(crate) mod closed_direct;
pub(crate) mod closed_tower;
pub(crate) mod contention;
pub(crate) mod detection;
pub(crate) mod documents;
pub(crate) mod instructions;
pub(crate) mod listeners;
pub(crate) mod loopback;
pub(crate) mod memory;
pub(crate) mod mixed;
pub(crate) mod observed;
pub(crate) mod open;
pub(crate) mod registry;
pub(crate) mod reqwest;
pub(crate) mod tasks;
pub(crate) mod time_window;
pub(crate) mod tonic;
pub(crate) mod verdict;
pub(crate) mod waiters;
