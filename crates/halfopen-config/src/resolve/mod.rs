//! Resolves the layers into settings: overlays them, checks the result, and builds the core's configuration.

mod build;
mod circuit_type;
mod layers;
pub(crate) mod limits;
mod lint;
mod named;
mod pattern;
mod settings;
mod subject;

pub(crate) use layers::{Layers, REST};
pub(crate) use pattern::longest_match;
pub(crate) use settings::Origins;
pub use settings::Settings;
pub(crate) use subject::Subject;
