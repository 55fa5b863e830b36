use std::fmt;

use crate::display::{Excerpt, sentence};
use crate::source::Place;

/// How many problems the text of a [`DocumentError`] shows in full.
const MOST_SHOWN: usize = 100;

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
            path: sentence(path.into()),
            message: sentence(message.into()),
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
        Problem { help: Some(sentence(help.into())), ..self }
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
                let Excerpt { line, mark } = Excerpt::of(place.line_parts());
                write!(f, "\n{margin}--> {place}\n{margin} |\n{number} | {line}\n{margin} | {mark}")?;
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

/// A document that cannot be used, with everything that is wrong with it.
///
/// Displayed, and by [`Debug`](fmt::Debug) as well, it is the first hundred problems in the order of the document,
/// errors and warnings, and a line that counts all of them. Its length is bounded: of a long line only the part around the problem is
/// shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DocumentError {
    problems: Vec<Problem>,
}

impl DocumentError {
    pub(crate) fn new(problems: Vec<Problem>) -> DocumentError {
        DocumentError { problems }
    }

    /// Returns every problem in the order of the document, warnings included. At least one is an error, unless the
    /// loader denies warnings.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What makes the document unusable is shown even if a hundred warnings precede it.
        let hidden = self.problems.len().saturating_sub(MOST_SHOWN);
        let first_error = self.problems.iter().position(Problem::is_error).filter(|at| *at >= MOST_SHOWN);
        let shown = self.problems.iter().take(MOST_SHOWN - usize::from(first_error.is_some()));
        for problem in shown.chain(first_error.map(|at| &self.problems[at])) {
            write!(f, "{problem}\n\n")?;
        }
        if hidden > 0 {
            write!(f, "and {} more\n\n", grouped(hidden))?;
        }
        f.write_str(&tally(&self.problems))
    }
}

/// As `main` and `unwrap` print it.
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
