use std::fmt;

/// The entry of a document whose values are checked: its path in messages, written only if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// An entry of a group of named entries, such as `breakers.payments`.
    Entry { group: &'static str, name: &'a str },
    /// A name that only the program sets.
    Program { name: &'a str },
    /// The values of names that the document does not have.
    Defaults,
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Entry { group, name } => write!(f, "{group}.{name}"),
            Subject::Program { name } => f.write_str(name),
            Subject::Defaults => f.write_str("defaults"),
        }
    }
}
