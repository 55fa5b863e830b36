#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod durations;
mod instruments;
#[cfg(feature = "limit")]
mod limits;
mod series;

pub use durations::observe_durations;
pub use instruments::observe;
#[cfg(feature = "limit")]
pub use limits::observe_limits;
