use halfopen_document::{
    DocumentError, Format, Group, Layer, Located, Origin, Problem, Scope, Section, SectionKinds, Source,
    SourceKind, Span, read_file,
};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::{Configuration, Overrides, pools, variables};
use crate::document::{BreakerSection, reserved_kinds};
use crate::resolve::{Layers, REST, limits};
use crate::{Document, Settings};

/// Builds a [`Configuration`] from a document, the environment, variables, and the program's own values, in
/// ascending precedence.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, Loader};
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
///     .variables([("HALFOPEN_PAYMENTS__OPEN__DURATION".to_owned(), "10s".to_owned())])
///     .load()?;
///
/// let payments = configuration.explain("payments");
/// let wait = payments.get("open.duration").unwrap();
/// assert_eq!(wait.value(), "10s");
/// assert_eq!(wait.origin().to_string(), "environment variable HALFOPEN_PAYMENTS__OPEN__DURATION");
/// assert_eq!(configuration.settings("db-orders").template(), Some("database"));
/// # Ok::<(), halfopen_config::DocumentError>(())
/// ```
#[derive(Clone)]
#[must_use = "a loader does nothing until it loads"]
pub struct Loader {
    sections: SectionKinds,
    document: Option<Given>,
    environment: Option<Located<String>>,
    variables: BTreeMap<String, String>,
    /// The values of each name that the program sets. They are merged when they are set, so that repeated calls
    /// do not grow the loader.
    code: BTreeMap<String, BreakerSection>,
    /// The problems of those values.
    wrong: Vec<Problem>,
    denies_warnings: bool,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader {
            sections: reserved_kinds().clone(),
            document: None,
            environment: None,
            variables: BTreeMap::new(),
            code: BTreeMap::new(),
            wrong: Vec::new(),
            denies_warnings: false,
        }
    }
}

/// Returns true for a key that documents already have.
fn is_taken(scope: Scope, key: &str) -> bool {
    match scope {
        Scope::Entry => {
            BreakerSection::keys(&SectionKinds::new()).chain(["name", "extends"]).any(|known| known == key)
        }
        // A document of one breaker has the breaker's keys beside those of the document.
        _ => {
            let of_documents =
                ["name", "defaults", "templates", "environments", "breakers", "routes", "environment"];
            let of_breakers = BreakerSection::keys(reserved_kinds());
            of_breakers.chain(of_documents).any(|known| known == key) || key.starts_with("x-")
        }
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without texts and values, which may have passwords and tokens.
        let document = match &self.document {
            Some(Given::Text { name, .. }) => Some(name),
            Some(Given::Nothing(_)) | None => None,
        };
        f.debug_struct("Loader")
            .field("document", &document)
            .field("environment", &self.environment.as_ref().map(|environment| &environment.value))
            .field("variables", &self.variables.keys())
            .field("set", &self.code.keys())
            .finish_non_exhaustive()
    }
}

/// The document, or the reason why there is none.
#[derive(Clone)]
enum Given {
    Text { name: String, format: Format, text: String },
    Nothing(Problem),
}

impl Loader {
    /// Creates an empty loader, with which every name has the library's defaults.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Adds a section: keys that another crate defines and acts on, of each breaker or of the document as a
    /// whole.
    ///
    /// The section is read, overlaid, explained and checked like the keys of a breaker, from every layer.
    /// [`Settings::get`](crate::Settings::get) and [`Configuration::get`] return its values. It must be added
    /// before values are [set](Self::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, Loader};
    /// use halfopen_document::{Section, group, scalar};
    ///
    /// group! {
    ///     /// The group `pool`.
    ///     Pool, expected "a pool such as { size: 5 }"
    ///     values {
    ///         /// The number of connections.
    ///         size: u32 = scalar::positive,
    ///     }
    /// }
    ///
    /// impl Section for Pool {
    ///     const KEY: &'static str = "pool";
    /// }
    ///
    /// let text = "{ defaults: { pool: { size: 5 } }, breakers: { payments: {}, search: { pool: { size: 8 } } } }";
    /// let loaded = Loader::new().section::<Pool>().text("b.yaml", Format::Yaml, text).load()?;
    /// let size = |name| loaded.settings(name).get::<Pool>().unwrap().size.as_ref().unwrap().value;
    /// assert_eq!((size("payments"), size("search")), (5, 8));
    /// assert_eq!(loaded.explain("search").get("pool.size").unwrap().origin().path(), "breakers.search.pool.size");
    /// # Ok::<(), halfopen_config::DocumentError>(())
    /// ```
    pub fn section<T: Section>(mut self) -> Loader {
        // Reported when it is loaded, like every other error, so that a builder call cannot fail.
        let wrong = if is_taken(T::SCOPE, T::KEY) {
            Some("is a key of this library, but must be another key")
        } else if !self.code.is_empty() {
            Some("is added after values were set: call `Loader::section` before `Loader::set`")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.wrong.push(Problem::error(T::KEY, format!("the section `{}` {wrong}", T::KEY)));
        }
        Loader { sections: self.sections.with::<T>(), ..self }
    }

    /// Uses this text as the document; `name` is its name in messages.
    pub fn text(self, name: impl Into<String>, format: Format, text: impl Into<String>) -> Loader {
        Loader { document: Some(Given::Text { name: name.into(), format, text: text.into() }), ..self }
    }

    /// Uses the document in this file, whose extension selects the format: `.yaml`, `.yml`, `.toml` or `.json`.
    ///
    /// The file is read immediately; [`load`](Self::load) returns the error of a file that cannot be read.
    pub fn file(self, path: impl AsRef<Path>) -> Loader {
        let name = path.as_ref().display().to_string();
        let given = match (Format::of_path(&path), read_file(&path)) {
            (Some(format), Ok(text)) => Given::Text { name, format, text },
            (None, _) => {
                let message = format!(
                    "`{name}` has no ending that says its format, must end with .yaml, .yml, .toml or .json"
                );
                Given::Nothing(Problem::error("", message))
            }
            (Some(_), Err(problem)) => Given::Nothing(problem),
        };
        Loader { document: Some(given), ..self }
    }

    /// Sets the environment of the program, whose values apply to breakers that name no environment of their
    /// own.
    ///
    /// It takes precedence over the variable `HALFOPEN_ENVIRONMENT` and over `defaults.environment`.
    pub fn environment(self, name: impl Into<String>) -> Loader {
        let name = name.into();
        let source = Source::new(SourceKind::Code, "environment", format!("environment = {name}"));
        let place = Span::new(&source, source.text().len() - name.len(), source.text().len());
        let origin = Origin::new(Layer::Code, "environment", place);
        Loader { environment: Some(Located::new(name, origin)), ..self }
    }

    /// Adds environment variables: `HALFOPEN_PAYMENTS__OPEN__DURATION=10s` sets `open.duration` of `payments`,
    /// and `HALFOPEN_ENVIRONMENT` the environment.
    ///
    /// A name of the document is written in capitals, with `_` for every sign; a pattern such as `db-*` is
    /// written without the signs after its last letter or digit. Variables without `HALFOPEN_` are ignored. So
    /// is one without `__`, with a warning if it looks like a misspelled one.
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Loader {
        self.variables.extend(variables);
        self
    }

    /// Adds the environment variables of this process, and ignores those that are not Unicode.
    pub fn process_variables(self) -> Loader {
        // A variable that is not Unicode cannot be one of ours; `vars` would panic on it.
        let pairs = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        self.variables(pairs)
    }

    /// Sets values of a name or pattern, which take precedence over every other layer; a later value takes
    /// precedence over an earlier one.
    ///
    /// A name that only a pattern of the document matches, such as `db-orders` for `db-*`, keeps the values of
    /// the pattern. As in the document, the values of a pattern do not apply to names that have entries of
    /// their own.
    pub fn set(mut self, name: impl Into<String>, values: Overrides) -> Loader {
        let name = name.into();
        let section = values.into_section(&name, &self.sections, &mut self.wrong);
        self.code.entry(name).or_default().overlay(&section);
        self
    }

    /// Treats warnings as errors, so that a document with a doubtful value is rejected.
    ///
    /// This is for checks before a deployment, and for programs that must not start with a doubtful value. It
    /// applies to every later document of a [`LiveRegistry`](crate::LiveRegistry) as well.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::{Format, Loader};
    ///
    /// let text = "breakers: { payments: { window: { last_calls: 10 }, trip: { failure_count: 20 } } }";
    /// let loader = Loader::new().text("breakers.yaml", Format::Yaml, text);
    /// assert_eq!(loader.load().unwrap().warnings().len(), 1);
    /// assert!(loader.deny_warnings().load().is_err());
    /// ```
    pub fn deny_warnings(self) -> Loader {
        Loader { denies_warnings: true, ..self }
    }

    /// Builds and returns the configuration.
    ///
    /// # Errors
    ///
    /// Returns all problems together, warnings included, each with its place. Warnings alone are no error,
    /// unless they are [denied](Self::deny_warnings).
    pub fn load(&self) -> Result<Configuration, DocumentError> {
        let mut problems = Vec::new();
        let loaded = self.judged(&mut problems);
        let problems = Problem::sorted(problems);
        match loaded {
            Some(configuration) if !problems.iter().any(|problem| self.denies(problem)) => {
                Ok(Configuration { warnings: problems, ..configuration })
            }
            Some(_) | None => Err(DocumentError::new(problems)),
        }
    }

    fn denies(&self, problem: &Problem) -> bool {
        self.denies_warnings || problem.is_error()
    }

    fn judged(&self, problems: &mut Vec<Problem>) -> Option<Configuration> {
        let document = match &self.document {
            Some(Given::Text { name, format, text }) => {
                Document::read(&Source::new(SourceKind::File, name, text), *format, &self.sections, problems)
            }
            Some(Given::Nothing(problem)) => {
                problems.push(problem.clone());
                return None;
            }
            None => Document::default(),
        };
        let variables = variables::read(&self.variables, &document, &self.sections, problems);
        problems.extend_from_slice(&self.wrong);
        let layers = Layers {
            document: &document,
            environment: self.environment.as_ref().or(variables.environment.as_ref()),
            variable_defaults: &variables.defaults,
            variables: &variables.sections,
            code: &self.code,
        };
        // Also what no breaker uses, so that a mistake is found before a breaker comes to use it.
        layers.judge_the_unused(problems);
        // Of the document and the program, sorted, so that problems come in the same order in each run.
        let written = document.breakers.iter().map(|(name, section)| (name, Some(section)));
        let added = self.code.keys().filter(|name| !document.breakers.contains_key(*name));
        let mut names: Vec<_> = written.chain(added.map(|name| (name, None))).collect();
        names.sort_by_key(|(name, _)| *name);
        let mut settings: Vec<(String, Box<Settings>)> = Vec::with_capacity(names.len());
        for (name, section) in names {
            let Some(mut found) = layers.settings_of(name, section, problems) else { continue };
            // Breakers with the same numbers share their memory, as far as they stand next to each other: names that are
            // alike, such as the hosts of one service, usually do.
            match settings.last() {
                Some((_, last)) if last.config == found.config => found.config = last.config.clone(),
                Some(_) | None => {}
            }
            settings.push((name.clone(), Box::new(found)));
        }
        let settings: BTreeMap<_, _> = settings.into_iter().collect();
        // An entry named `*` is the settings of all other names; without one, these are the defaults alone.
        let rest =
            settings.get(REST).map(|rest| (**rest).clone()).or_else(|| layers.settings(REST, problems))?;
        let mut sections = document.sections.clone();
        sections.overlay(&variables.sections_of_document);
        sections.lint("", &[&document], problems);
        let configuration = Configuration { document, sections, settings, rest, warnings: Vec::new() };
        problems.extend(pools::doubts(&configuration));
        problems.extend(limits::routes(&configuration.document));
        Some(configuration)
    }

    #[cfg(feature = "schema")]
    pub(crate) fn sections(&self) -> &SectionKinds {
        &self.sections
    }

    /// Returns true if the loader has this text already.
    pub(crate) fn says(&self, other: Format, words: &str) -> bool {
        matches!(&self.document, Some(Given::Text { format, text, .. }) if *format == other && text == words)
    }

    /// Returns the loader with another text of the same document.
    pub(crate) fn with_text(&self, format: Format, text: &str) -> Loader {
        let name = match &self.document {
            Some(Given::Text { name, .. }) => name.as_str(),
            Some(Given::Nothing(_)) | None => "document",
        };
        self.clone().text(name, format, text)
    }
}

/// Returns all errors and warnings of a document by itself, in the order of the document.
///
/// # Examples
///
/// ```
/// use halfopen_config::{Format, Severity, lint};
///
/// let problems = lint("b.yaml", Format::Yaml, "breakers:\n  a: { open: { duration: 30 } }\n  b: { trip: [] }\n");
/// assert_eq!(problems[0].severity(), Severity::Error);
/// assert_eq!(problems[0].message(), "`breakers.a.open.duration` is 30, but must be a duration such as 30s, 500ms or 1m30s");
/// assert_eq!(problems[0].advice(), Some("30 has no unit; write `30s` for seconds"));
/// assert_eq!(problems[1].severity(), Severity::Warning);
/// ```
pub fn lint(name: &str, format: Format, text: &str) -> Vec<Problem> {
    problems(&Loader::new().text(name, format, text))
}

/// Returns all errors and warnings of the document in a file, whose extension selects the format; a file that
/// cannot be read is an error too.
pub fn lint_file(path: impl AsRef<Path>) -> Vec<Problem> {
    problems(&Loader::new().file(path))
}

fn problems(loader: &Loader) -> Vec<Problem> {
    match loader.load() {
        Ok(configuration) => configuration.warnings().to_vec(),
        Err(error) => error.problems().to_vec(),
    }
}
