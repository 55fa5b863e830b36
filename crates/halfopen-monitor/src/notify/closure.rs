use std::fmt;

use super::{Notifier, Sending};
use crate::alert::Alert;

/// Calls a function with each alert. It must not block.
pub struct ClosureNotifier<F> {
    name: String,
    call: F,
}

impl<F: Fn(&Alert) + Send + Sync + 'static> ClosureNotifier<F> {
    /// Creates a notifier of this name.
    pub fn new(name: impl Into<String>, call: F) -> ClosureNotifier<F> {
        ClosureNotifier { name: name.into(), call }
    }
}

impl<F: Fn(&Alert) + Send + Sync + 'static> Notifier for ClosureNotifier<F> {
    fn name(&self) -> &str {
        &self.name
    }

    fn send<'a>(&'a self, alerts: &'a [Alert]) -> Sending<'a> {
        Box::pin(async move {
            alerts.iter().for_each(&self.call);
            Ok(())
        })
    }
}

impl<F> fmt::Debug for ClosureNotifier<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureNotifier").field("name", &self.name).finish_non_exhaustive()
    }
}
