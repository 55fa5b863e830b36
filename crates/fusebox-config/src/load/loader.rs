use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::{Configuration, Partial, variables};
use crate::resolve::{Layers, REST};
use crate::source::{Source, SourceKind};
use crate::{Document, DocumentError, Format, Problem, problem};

/// Puts a [`Configuration`] together: a document, the environment, variables, and the program's own
/// values, of which each goes before those named before it.
///
/// # Examples
///
/// ```
/// use fusebox_config::{Format, Loader};
///
/// let text = "\
/// defaults:
///   open: { duration: 5s }
/// breakers:
///   payments: { template: conservative, open: { duration: 30s } }
///   db-*: { template: database }
/// ";
/// let configuration = Loader::new()
///     .text("breakers.yaml", Format::Yaml, text)
///     .environment("production")
///     .variables([("FUSEBOX_PAYMENTS__OPEN__DURATION".to_owned(), "10s".to_owned())])
///     .load()?;
///
/// let payments = configuration.explain("payments");
/// let wait = payments.get("open.duration").unwrap();
/// assert_eq!(wait.value(), "10s");
/// assert_eq!(wait.origin().to_string(), "environment variable FUSEBOX_PAYMENTS__OPEN__DURATION");
/// assert_eq!(configuration.settings("db-orders").template(), Some("database"));
/// # Ok::<(), fusebox_config::DocumentError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a loader does nothing until it loads"]
pub struct Loader {
    document: Option<Given>,
    environment: Option<String>,
    variables: BTreeMap<String, String>,
    code: BTreeMap<String, Vec<Partial>>,
}

/// The document, or why there is none.
#[derive(Clone, Debug)]
enum Given {
    Text { name: String, format: Format, text: String },
    Nothing(Problem),
}

impl Loader {
    /// A loader that has nothing yet: every name gets the library's defaults.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Takes this document; `name` is what messages call it.
    pub fn text(self, name: impl Into<String>, format: Format, text: impl Into<String>) -> Loader {
        Loader { document: Some(Given::Text { name: name.into(), format, text: text.into() }), ..self }
    }

    /// Takes the document in this file, whose ending says the format: `.yaml`, `.yml`, `.toml` or `.json`.
    ///
    /// It is read now; a file that cannot be read is an error of [`load`](Self::load).
    pub fn file(self, path: impl AsRef<Path>) -> Loader {
        let name = path.as_ref().display().to_string();
        let given = match (Format::of_path(&path), fs::read_to_string(&path)) {
            (Some(format), Ok(text)) => Given::Text { name, format, text },
            (None, _) => {
                let message = format!(
                    "`{name}` has no ending that says its format, must end with .yaml, .yml, .toml or .json"
                );
                Given::Nothing(Problem::error("", message))
            }
            (Some(_), Err(error)) => {
                Given::Nothing(Problem::error("", format!("`{name}` cannot be read: {error}")))
            }
        };
        Loader { document: Some(given), ..self }
    }

    /// Says in which environment the program runs; breakers that name none of their own get its numbers.
    ///
    /// Goes before the variable `FUSEBOX_ENVIRONMENT` and before `defaults.environment`.
    pub fn environment(self, name: impl Into<String>) -> Loader {
        Loader { environment: Some(name.into()), ..self }
    }

    /// Takes environment variables: `FUSEBOX_PAYMENTS__OPEN__DURATION=10s` sets `open.duration` of
    /// `payments`, `FUSEBOX_ENVIRONMENT` the environment.
    ///
    /// A name of the document is written in capitals, with `_` for every sign; a beginning such as `db-*`
    /// without what follows its last letter. Variables without `FUSEBOX_` or without `__` are left alone.
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Loader {
        self.variables.extend(variables);
        self
    }

    /// Takes the variables of this process, leaving alone those that are no Unicode.
    pub fn process_variables(self) -> Loader {
        let pairs = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.variables(pairs)
    }

    /// Sets values of a name or beginning, before everything else; a later value before an earlier one.
    pub fn set(mut self, name: impl Into<String>, values: Partial) -> Loader {
        self.code.entry(name.into()).or_default().push(values);
        self
    }

    /// The configuration.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, all at once, each with its place, and the warnings with it.
    pub fn load(&self) -> Result<Configuration, DocumentError> {
        let mut problems = Vec::new();
        let loaded = self.judged(&mut problems);
        let problems = problem::in_order(problems);
        match loaded {
            Some(configuration) if !problems.iter().any(Problem::is_error) => {
                Ok(Configuration { warnings: problems, ..configuration })
            }
            Some(_) | None => Err(DocumentError::new(problems)),
        }
    }

    fn judged(&self, problems: &mut Vec<Problem>) -> Option<Configuration> {
        let document = match &self.document {
            Some(Given::Text { name, format, text }) => {
                Document::read(&Source::new(SourceKind::File, name, text), *format, problems)
            }
            Some(Given::Nothing(problem)) => {
                problems.push(problem.clone());
                return None;
            }
            None => Document::default(),
        };
        let variables = variables::read(&self.variables, &document, problems);
        let mut code = BTreeMap::new();
        for (name, partials) in &self.code {
            use crate::document::{Group, Section};
            let mut section = Section::default();
            partials.iter().for_each(|partial| section.overlay(&partial.section(name, problems)));
            code.insert(name.clone(), section);
        }
        let layers = Layers {
            document: &document,
            environment: self.environment.as_deref().or(variables.environment.as_deref()),
            variables: &variables.sections,
            code: &code,
        };
        layers.judge_the_unused(problems);
        let names = document.breakers.keys().chain(code.keys());
        let mut settings = BTreeMap::new();
        for name in names {
            settings.extend(layers.settings(name, problems).map(|settings| (name.clone(), settings)));
        }
        let rest = settings.get(REST).cloned().or_else(|| layers.settings(REST, problems))?;
        Some(Configuration { document, settings, rest, warnings: Vec::new() })
    }

    /// The loader with another text of the same document.
    pub(crate) fn with_text(&self, format: Format, text: &str) -> Loader {
        let name = match &self.document {
            Some(Given::Text { name, .. }) => name.as_str(),
            Some(Given::Nothing(_)) | None => "document",
        };
        self.clone().text(name, format, text)
    }
}

/// Everything that is wrong or doubtful with a document by itself, in its order.
///
/// # Examples
///
/// ```
/// use fusebox_config::{Format, Severity, lint};
///
/// let problems = lint("b.yaml", Format::Yaml, "breakers:\n  a: { open: { duration: 30 } }\n  b: { trip: [] }\n");
/// assert_eq!(problems[0].severity(), Severity::Error);
/// assert_eq!(problems[0].message(), "`breakers.a.open.duration` is 30, must be a duration such as 30s, 500ms or 1m30s");
/// assert_eq!(problems[0].advice(), Some("30 has no unit; write `30s` for seconds"));
/// assert_eq!(problems[1].severity(), Severity::Warning);
/// ```
pub fn lint(name: &str, format: Format, text: &str) -> Vec<Problem> {
    problems(&Loader::new().text(name, format, text))
}

/// The same for a file, whose ending says the format; one that cannot be read is a problem too.
pub fn lint_file(path: impl AsRef<Path>) -> Vec<Problem> {
    problems(&Loader::new().file(path))
}

fn problems(loader: &Loader) -> Vec<Problem> {
    match loader.load() {
        Ok(configuration) => configuration.warnings().to_vec(),
        Err(error) => error.problems().to_vec(),
    }
}
