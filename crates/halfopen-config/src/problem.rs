use std::fmt;

use crate::source::Place;

/// How bad a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document can be used, but says something its author can hardly mean.
    Warning,
    /// The document cannot be used.
    Error,
}

/// One thing that is wrong with a document: where, what, and what was expected.
///
/// Displayed, it is a sentence, the place, and the line with the words in question underlined; lines
/// are separated by `\n` and the last has none.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, lint};
///
/// let problems = lint("breakers.yaml", Format::Yaml, "breakers:\n  payments:\n    open: { duraton: 30s }\n");
/// assert_eq!(
///     problems[0].to_string(),
///     "\
/// error: `breakers.payments.open` has no key `duraton`; did you mean `duration`?
///  --> breakers.yaml:3:13
///   |
/// 3 |     open: { duraton: 30s }
///   |             ^^^^^^^
///   = known here: duration, hint_max, backoff",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    path: String,
    message: String,
    place: Option<Place>,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn error(path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            path: path.into(),
            message: message.into(),
            place: None,
            help: None,
        }
    }

    pub(crate) fn warning(path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(path, message) }
    }

    pub(crate) fn at(self, place: Place) -> Problem {
        Problem { place: Some(place), ..self }
    }

    /// The same, unless it has a place already.
    pub(crate) fn at_least_at(self, place: Option<&Place>) -> Problem {
        Problem { place: self.place.or_else(|| place.cloned()), ..self }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// What is wrong, whatever it is called that is.
    fn says(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { self.message.replace(&self.path, "") }
    }

    /// Whether the document can be used all the same.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// True if the document cannot be used.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The field, such as `breakers.payments.open.duration`; empty if it is the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong and what was expected, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What else helps, if anything does.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Where it is written; none if it is about something that is not written anywhere.
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        let margin = match &self.place {
            Some(place) => {
                let number = place.line().to_string();
                let margin = " ".repeat(number.len());
                let before = " ".repeat(place.column() - 1);
                let line = printable(place.line_text());
                let mark = "^".repeat(place.width());
                write!(f, "\n{margin}--> {place}\n{margin} |\n{number} | {line}\n{margin} | {before}{mark}")?;
                margin
            }
            None => " ".into(),
        };
        match &self.help {
            Some(help) => write!(f, "\n{margin} = {help}"),
            None => Ok(()),
        }
    }
}

/// A tab or a control character as wide as a column, so that the mark stands under what it marks.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A document that cannot be used, with everything that is wrong with it.
///
/// Displayed, it is all problems, errors and warnings, in the order of the document, and a line that
/// counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentError {
    problems: Vec<Problem>,
}

impl DocumentError {
    pub(crate) fn new(problems: Vec<Problem>) -> DocumentError {
        DocumentError { problems }
    }

    /// Every problem in the order of the document, warnings included; at least one is an error.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            write!(f, "{problem}\n\n")?;
        }
        f.write_str(&tally(&self.problems))
    }
}

impl std::error::Error for DocumentError {}

/// How many errors and warnings there are: `2 errors, 1 warning`.
pub fn tally(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let count = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    let counts = [count(errors, "error"), count(problems.len() - errors, "warning")];
    let told: Vec<_> = counts.into_iter().flatten().collect();
    if told.is_empty() { "no problems".into() } else { told.join(", ") }
}

/// In the order of the document, each once: what is wrong in `defaults`, or under an anchor, is met again
/// in every breaker.
pub(crate) fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    let key = |problem: &Problem| {
        let place = problem.place.as_ref();
        (
            place.map(|place| (place.kind() as u8, place.document().to_owned(), place.start())),
            problem.path.clone(),
        )
    };
    problems.sort_by_cached_key(key);
    let mut told: Vec<Problem> = Vec::new();
    for problem in problems {
        let at_this_place =
            told.iter().rev().take_while(|other| other.place.is_some() && other.place == problem.place);
        if !at_this_place.into_iter().any(|other| other.says() == problem.says()) {
            told.push(problem);
        }
    }
    told
}
