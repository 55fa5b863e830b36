use std::fmt;

use crate::display::{Excerpt, sentence};
use crate::{Origin, Span};

/// How many problems the text of a [`DocumentError`] shows in full.
const MOST_SHOWN: usize = 100;

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The document is valid, but a value is unlikely to be intended.
    Warning,
    /// The document is not valid.
    Error,
}

/// A problem of a document: a message with the expected value, and the place.
///
/// Its [`Display`](fmt::Display) is a message, the place, and the line with the value underlined. Lines are separated
/// by `\n`, without one at the end.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Problem, Source, SourceKind, Span};
///
/// let source = Source::new(SourceKind::File, "pool.yaml", "size: 0");
/// let problem = Problem::error("pool.size", "`pool.size` is 0, but must be at least 1")
///     .at(Span::new(&source, 6, 7))
///     .help("without a pool, leave it out");
/// assert_eq!(
///     problem.to_string(),
///     "\
/// error: `pool.size` is 0, but must be at least 1
///  --> pool.yaml:1:7
///   |
/// 1 | size: 0
///   |       ^
///   = without a pool, leave it out",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    path: String,
    message: String,
    span: Option<Span>,
    help: Option<String>,
}

impl Problem {
    /// Creates an error about the field at `path`; empty if it is about the document as a whole.
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            path: sentence(path.into()),
            message: sentence(message.into()),
            span: None,
            help: None,
        }
    }

    /// Creates a warning about the field at `path`.
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem { severity: Severity::Warning, ..Problem::error(path, message) }
    }

    /// Sets the place.
    pub fn at(self, span: Span) -> Problem {
        Problem { span: Some(span), ..self }
    }

    /// Sets the place to that of a value, unless it is a default of the library.
    pub fn at_origin<'o>(self, origin: impl Into<Option<&'o Origin>>) -> Problem {
        let span = origin.into().and_then(Origin::span).cloned();
        Problem { span: span.or(self.span), ..self }
    }

    /// Sets the place if it has none yet.
    pub fn or_at(self, span: Option<&Span>) -> Problem {
        Problem { span: self.span.or_else(|| span.cloned()), ..self }
    }

    /// Sets a line of advice.
    pub fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(sentence(help.into())), ..self }
    }

    /// Sorts problems in the order of the document, and removes duplicates.
    ///
    /// A problem in `defaults`, or under an anchor, is found again for every name that it applies to.
    pub fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
        // By place, so that a report reads like the document; problems without a place come first.
        let key = |problem: &Problem| {
            let span = problem.span.as_ref();
            (
                span.map(|span| (span.kind() as u8, span.document().to_owned(), span.start())),
                problem.path.clone(),
            )
        };
        problems.sort_by_cached_key(key);
        let mut kept: Vec<Problem> = Vec::new();
        for problem in problems {
            let mut at_this_place =
                // Values of an anchor or a template are read once for each use, and would repeat their problems at
                // the same place.
                kept.iter().rev().take_while(|other| other.span.is_some() && other.span == problem.span);
            if !at_this_place.any(|other| other.anonymous_message() == problem.anonymous_message()) {
                kept.push(problem);
            }
        }
        kept
    }

    /// Returns the message without the path, by which equal problems of two breakers are recognized.
    fn anonymous_message(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { self.message.replace(&self.path, "") }
    }

    /// Returns the severity.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Returns true for an error, false for a warning.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Returns the path of the field, such as `breakers.payments.open.duration`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the message, which includes the expected value or range.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the line of advice.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Returns the place, or [`None`] if the problem has none, such as a missing file.
    pub fn span(&self) -> Option<&Span> {
        self.span.as_ref()
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
        let margin = match &self.span {
            Some(span) => {
                let number = span.line().to_string();
                let margin = " ".repeat(number.len());
                let Excerpt { line, mark } = Excerpt::of(span.line_parts());
                write!(f, "\n{margin}--> {span}\n{margin} |\n{number} | {line}\n{margin} | {mark}")?;
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

/// The error for a document that is not valid, with all of its problems.
///
/// Its [`Display`](fmt::Display) and its [`Debug`](fmt::Debug) are the first hundred problems in the order of the
/// document, errors and warnings, and a summary. Their length is bounded: of a long line, only the part around the
/// problem is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentError {
    problems: Vec<Problem>,
}

impl DocumentError {
    /// Creates the error; the problems are sorted in the order of the document, and duplicates are removed.
    pub fn new(problems: Vec<Problem>) -> DocumentError {
        DocumentError { problems: Problem::sorted(problems) }
    }

    /// Returns every problem in the order of the document, warnings included. At least one is an error, unless the
    /// loader denies warnings.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first error is shown even if a hundred warnings precede it.
        let hidden = self.problems.len().saturating_sub(MOST_SHOWN);
        let first_error = self.problems.iter().position(Problem::is_error).filter(|at| *at >= MOST_SHOWN);
        let shown = self.problems.iter().take(MOST_SHOWN - usize::from(first_error.is_some()));
        for problem in shown.chain(first_error.map(|at| &self.problems[at])) {
            write!(f, "{problem}\n\n")?;
        }
        if hidden > 0 {
            write!(f, "and {} more\n\n", grouped(hidden))?;
        }
        f.write_str(&summary(&self.problems))
    }
}

// `main` and `unwrap` print `Debug`, and the report is the useful text there.
impl fmt::Debug for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns a number with its thousands separated: `15,900`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let (first, rest) = digits.split_at((digits.len() - 1) % 3 + 1);
    rest.as_bytes()
        .chunks(3)
        .fold(first.to_owned(), |text, group| text + "," + &String::from_utf8_lossy(group))
}

impl std::error::Error for DocumentError {}

/// Returns the number of errors and warnings as a text: `2 errors, 1 warning`.
pub fn summary(problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let count = |number: usize, word: &str| match number {
        0 => None,
        1 => Some(format!("1 {word}")),
        _ => Some(format!("{number} {word}s")),
    };
    let counts = [count(errors, "error"), count(problems.len() - errors, "warning")];
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    if counts.is_empty() { "no problems".into() } else { counts.join(", ") }
}
