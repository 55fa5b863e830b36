#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod durations;
mod instruments;
mod series;

pub use durations::observe_durations;
pub use instruments::observe;
