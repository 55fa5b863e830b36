use std::fmt;

/// The path of a key in a document, such as `breakers.payments.open.duration`.
///
/// One buffer that grows and shrinks while a document is read, so that no key allocates a path of its own.
///
/// # Examples
///
/// ```
/// use halfopen_document::Path;
///
/// let mut path = Path::new(&["breakers", "payments"]);
/// path.within("open", |path| assert_eq!(path.as_str(), "breakers.payments.open"));
/// assert_eq!(path.as_str(), "breakers.payments");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(String);

impl Path {
    /// Creates the path of these keys, outermost first.
    pub fn new(keys: &[&str]) -> Path {
        Path(keys.join("."))
    }

    /// Returns the keys, separated by dots; empty for the document itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Runs `f` with a key appended, and removes it again.
    pub fn within<T>(&mut self, key: &str, f: impl FnOnce(&mut Path) -> T) -> T {
        let outer = self.push(key);
        let value = f(self);
        self.truncate(outer);
        value
    }

    /// Appends a key and returns the length to [`truncate`](Self::truncate) to.
    pub(crate) fn push(&mut self, key: &str) -> usize {
        let outer = self.0.len();
        if outer > 0 {
            self.0.push('.');
        }
        self.0.push_str(key);
        outer
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.0.truncate(length);
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
