use std::path::Path;

use halfopen::CircuitBreakerConfig;
use halfopen_config::{DocumentError, Loader};

use crate::protection::NAME;

/// Returns the settings that a document has for the protected client, and prints its warnings.
///
/// # Errors
///
/// Every problem of the document, printed as `check_config` prints it.
pub(crate) fn documented(file: &Path) -> Result<CircuitBreakerConfig, DocumentError> {
    let configuration = Loader::new().file(file).process_variables().load()?;
    for warning in configuration.warnings() {
        eprintln!("{warning}\n");
    }
    Ok(configuration.settings(NAME).config().clone())
}
