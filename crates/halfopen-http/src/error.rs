use std::fmt;

/// A classification rule that cannot be kept.
///
/// Names the field, the value that was given and the range that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleError {
    field: &'static str,
    value: String,
    range: &'static str,
}

impl RuleError {
    pub(crate) fn new(field: &'static str, value: String, range: &'static str) -> RuleError {
        RuleError { field, value, range }
    }

    /// The field at fault, as it is called in the rule.
    pub fn field(&self) -> &str {
        self.field
    }

    /// The value that was given.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The values that are allowed.
    pub fn range(&self) -> &str {
        self.range
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is {}, but must be {}", self.field, self.value, self.range)
    }
}

impl std::error::Error for RuleError {}
