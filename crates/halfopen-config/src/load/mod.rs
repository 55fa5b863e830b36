//! Builds a configuration from documents, environment variables and the program's own values.

mod configuration;
mod loader;
mod names;
mod overrides;
pub(crate) mod pools;
mod variables;

pub use configuration::Configuration;
pub use loader::{Loader, lint, lint_file};
pub use overrides::{OverrideValue, Overrides};
