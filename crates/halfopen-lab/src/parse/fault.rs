//! Lines that are no calls.

use std::borrow::Cow;
use std::fmt;

/// The reason why a line is no call: a field and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    field: &'static str,
    problem: Cow<'static, str>,
}

impl LineError {
    /// The field is absent.
    pub(crate) const fn missing(field: &'static str) -> LineError {
        LineError { field, problem: Cow::Borrowed("is missing") }
    }

    /// The field has a value of another form.
    pub(crate) fn invalid(field: &'static str, value: &str, expected: &str) -> LineError {
        // Foreign bytes: cut, and with control characters escaped.
        let shown: String = value.chars().take(60).collect();
        LineError { field, problem: format!("is {shown:?}, must be {expected}").into() }
    }

    /// The whole line has another form.
    pub(crate) fn line(problem: impl fmt::Display) -> LineError {
        LineError { field: "line", problem: problem.to_string().into() }
    }

    /// The line is no JSON, or JSON of another form.
    pub(crate) fn json(error: &serde_json::Error) -> LineError {
        if error.is_eof() {
            return LineError::line("ends within a JSON value, which must be on one line");
        }
        // The parser has seen one line only, so its number would be that of another one.
        let (text, column) = (error.to_string(), error.column());
        let place = format!(" at line {} column {column}", error.line());
        match text.strip_suffix(&place) {
            Some(problem) => {
                LineError::line(format_args!("is not as expected at column {column}: {problem}"))
            }
            None => LineError::line(format_args!("is not as expected: {text}")),
        }
    }

    /// The same of the line with this number.
    pub(crate) fn at(mut self, line: u64) -> LineError {
        self.problem = format!("{line} {}", self.problem).into();
        self
    }

    /// Returns the name of the field.
    pub fn field(&self) -> &str {
        self.field
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.problem)
    }
}

impl std::error::Error for LineError {}
