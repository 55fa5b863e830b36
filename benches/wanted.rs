//! The groups that the command line selects.

/// The words of the command line that name groups. Without one, every group is selected.
pub(crate) struct Wanted(Vec<String>);

impl Wanted {
    /// Selects by the arguments that are no option.
    pub(crate) fn of(arguments: impl Iterator<Item = String>) -> Wanted {
        Wanted(arguments.filter(|word| !word.starts_with('-')).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|word| word == name)
    }
}
