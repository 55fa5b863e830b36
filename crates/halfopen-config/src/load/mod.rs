//! Putting a configuration together: documents, environment variables, what the program says.

mod configuration;
mod loader;
mod names;
mod overrides;
pub(crate) mod pools;
mod variables;

pub use configuration::Configuration;
pub use loader::{Loader, lint, lint_file};
pub use overrides::{OverrideValue, Overrides};
