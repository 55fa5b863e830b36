use std::fmt;

/// An invalid classification rule.
///
/// Names the field, its value and the allowed range.
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

    /// Returns the name of the invalid field.
    pub fn field(&self) -> &str {
        self.field
    }

    /// Returns the invalid value.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the allowed range.
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
