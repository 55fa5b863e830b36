use std::fmt;
use std::sync::Arc;

use crate::{SourceKind, Span, without_passwords};

/// A value of a document together with its [`Origin`].
///
/// Two are equal if their values are. Its [`Debug`](fmt::Debug) has `***` in place of the passwords of URLs.
#[derive(Clone)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    origin: Origin,
}

/// The origin of a value: its layer, the path of its key, and its place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Option<Arc<Known>>);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    layer: Layer,
    path: Box<str>,
    span: Span,
}

/// The layers of a configuration, lowest first: a value of a later layer overrides one of an earlier layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layer {
    /// The defaults of the library.
    Library,
    /// `defaults` of the document, and sections of the document as a whole.
    Defaults,
    /// A template: first the one it extends, then the template itself.
    Template,
    /// The environment, such as `production`.
    Environment,
    /// The entry of the name itself, such as `breakers.payments`.
    Entry,
    /// An environment variable.
    Variable,
    /// The program.
    Code,
}

impl<T> Located<T> {
    /// Creates a value with its origin.
    pub fn new(value: T, origin: Origin) -> Located<T> {
        Located { value, origin }
    }

    /// Returns the origin of the value.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns another value of the same origin.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Located<U> {
        Located { value: f(&self.value), origin: self.origin.clone() }
    }
}

impl<T> From<T> for Located<T> {
    fn from(value: T) -> Located<T> {
        Located { value, origin: Origin::LIBRARY }
    }
}

impl<T: fmt::Debug> fmt::Debug for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = format!("{:?}", self.value);
        f.debug_struct("Located")
            .field("value", &format_args!("{}", without_passwords(&value)))
            .field("origin", &self.origin)
            .finish()
    }
}

impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: serde::Serialize> serde::Serialize for Located<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Origin {
    /// The origin of the library's defaults, which have no place in a source.
    pub const LIBRARY: Origin = Origin(None);

    /// Creates the origin of a value of this layer, whose key has this path.
    pub fn new(layer: Layer, path: impl Into<Box<str>>, span: Span) -> Origin {
        Origin(Some(Arc::new(Known { layer, path: path.into(), span })))
    }

    /// Returns the layer of the value.
    pub fn layer(&self) -> Layer {
        self.0.as_ref().map_or(Layer::Library, |known| known.layer)
    }

    /// Returns the path of the key as it is written, such as `breakers.payments.timeout`; empty for defaults of
    /// the library.
    pub fn path(&self) -> &str {
        self.0.as_ref().map_or("", |known| &known.path)
    }

    /// Returns the place of the value, or [`None`] for defaults of the library.
    pub fn span(&self) -> Option<&Span> {
        self.0.as_ref().map(|known| &known.span)
    }

    /// Returns the last key of the [`path`](Self::path).
    pub fn key(&self) -> &str {
        self.path().rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(known) = &self.0 else { return f.write_str("library default") };
        match known.span.kind() {
            SourceKind::File | SourceKind::Builtin => write!(f, "{}, {}", known.path, known.span),
            SourceKind::Variable | SourceKind::Code => write!(f, "{}", known.span),
        }
    }
}
