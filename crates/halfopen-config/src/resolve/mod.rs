//! From what is written to what holds: the layers laid over one another, and what they add up to.

mod build;
mod circuit_type;
mod layers;
pub(crate) mod limits;
mod lint;
mod named;
mod pattern;
mod settings;

pub(crate) use layers::{Layers, REST};
pub(crate) use pattern::longest_match;
pub(crate) use settings::Origins;
pub use settings::Settings;
