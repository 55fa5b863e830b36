use halfopen_document::{
    DocumentError, Format, Group, Layer, Located, Origin, Problem, Scope, Section, SectionKinds, Source,
    SourceKind, Span, read_file,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Configuration, Overrides, pools, variables};
use crate::Document;
use crate::document::{BreakerSection, reserved_kinds};
use crate::resolve::{Layers, REST, limits};

/// Puts a [`Configuration`] together: a document, the environment, variables, and the program's own
/// values, of which each goes before those named before it.
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
#[derive(Clone, Debug)]
#[must_use = "a loader does nothing until it loads"]
pub struct Loader {
    sections: SectionKinds,
    document: Option<Given>,
    environment: Option<Located<String>>,
    variables: BTreeMap<String, String>,
    /// What the program says of each name, read when it is said: what is said again and again does not grow.
    code: BTreeMap<String, BreakerSection>,
    /// What is wrong with that.
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

/// Returns true for a key that a document has already.
fn is_taken(scope: Scope, key: &str) -> bool {
    match scope {
        Scope::Entry => {
            BreakerSection::keys(&SectionKinds::new()).chain(["name", "extends"]).any(|known| known == key)
        }
        // A document of one breaker has the keys of that beside those of the document.
        _ => {
            let of_documents =
                ["name", "defaults", "templates", "environments", "breakers", "routes", "environment"];
            let of_breakers = BreakerSection::keys(reserved_kinds());
            of_breakers.chain(of_documents).any(|known| known == key) || key.starts_with("x-")
        }
    }
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

    /// Adds a section: keys that another crate defines and acts on, of each breaker or of the document as a whole.
    ///
    /// It is read, overlaid, explained and checked like the keys of a breaker, from every layer. Its values are
    /// returned by [`Settings::get`](crate::Settings::get) and [`Configuration::get`]. To be added before values are
    /// [set](Self::set).
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

    /// Takes this document; `name` is what messages call it.
    pub fn text(self, name: impl Into<String>, format: Format, text: impl Into<String>) -> Loader {
        Loader { document: Some(Given::Text { name: name.into(), format, text: text.into() }), ..self }
    }

    /// Takes the document in this file, whose ending says the format: `.yaml`, `.yml`, `.toml` or `.json`.
    ///
    /// It is read now; a file that cannot be read is an error of [`load`](Self::load).
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

    /// Says in which environment the program runs; breakers that name none of their own get its numbers.
    ///
    /// Goes before the variable `HALFOPEN_ENVIRONMENT` and before `defaults.environment`.
    pub fn environment(self, name: impl Into<String>) -> Loader {
        let name = name.into();
        let source = Source::new(SourceKind::Code, "environment", format!("environment = {name}"));
        let place = Span::new(&source, source.text().len() - name.len(), source.text().len());
        let origin = Origin::new(Layer::Code, "environment", place);
        Loader { environment: Some(Located::new(name, origin)), ..self }
    }

    /// Takes environment variables: `HALFOPEN_PAYMENTS__OPEN__DURATION=10s` sets `open.duration` of
    /// `payments`, `HALFOPEN_ENVIRONMENT` the environment.
    ///
    /// A name of the document is written in capitals, with `_` for every sign; a beginning such as `db-*`
    /// without what follows its last letter. A variable without `HALFOPEN_` is left alone, and so is one
    /// without `__` that does not look like a slip, which is a warning.
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
    ///
    /// A name that the document has only as a beginning, such as `db-orders` where it says `db-*`, keeps what
    /// is written of that. As in the document, a beginning says nothing of names that stand there themselves.
    pub fn set(mut self, name: impl Into<String>, values: Overrides) -> Loader {
        let name = name.into();
        let section = values.into_section(&name, &self.sections, &mut self.wrong);
        self.code.entry(name).or_default().overlay(&section);
        self
    }

    /// Treats warnings as errors: a document with a value that is hardly meant is not used.
    ///
    /// For checks before a deployment, and for programs that would rather not start than start with a slip. It holds
    /// for every later document of a [`LiveRegistry`](crate::LiveRegistry) as well.
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

    /// Returns the configuration.
    ///
    /// # Errors
    ///
    /// Every problem at once, each with its place; warnings too. Warnings alone are no error, unless they are
    /// [denied](Self::deny_warnings).
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
        layers.judge_the_unused(problems);
        let names: BTreeSet<_> = document.breakers.keys().chain(self.code.keys()).collect();
        let mut settings = BTreeMap::new();
        for name in names {
            settings
                .extend(layers.settings(name, problems).map(|settings| (name.clone(), Box::new(settings))));
        }
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

    /// Whether this is the text it has already.
    pub(crate) fn says(&self, other: Format, words: &str) -> bool {
        matches!(&self.document, Some(Given::Text { format, text, .. }) if *format == other && text == words)
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
