use std::path::Path;

use halfopen::CircuitBreakerConfig;
use halfopen_config::{DocumentError, Loader};

use crate::protection::NAME;

/// Returns the settings of the protected client from a document, and prints its warnings.
///
/// # Errors
///
/// Returns every problem of the document, formatted as by `check_config`.
pub(crate) fn documented(file: &Path) -> Result<CircuitBreakerConfig, DocumentError> {
    let configuration = Loader::new().file(file).process_variables().load()?;
    for warning in configuration.warnings() {
        eprintln!("{warning}\n");
    }
    Ok(configuration.settings(NAME).config().clone())
}
