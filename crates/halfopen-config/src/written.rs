use std::fmt;
use std::sync::Arc;

use crate::source::{Place, SourceKind};

/// A value of a document, and where it is written.
///
/// Two are equal if their values are.
#[derive(Clone, Debug)]
pub struct Written<T> {
    /// What is written.
    pub value: T,
    origin: Origin,
}

/// Who gave a value: the layer, the key as it is written, and the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Option<Arc<Known>>);

#[derive(Debug, PartialEq, Eq)]
struct Known {
    layer: Layer,
    path: String,
    place: Place,
}

/// The layers of a configuration; a later one goes before an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Layer {
    /// What the library does if nothing is said.
    Library,
    /// `defaults` of the document.
    Defaults,
    /// A template: first the one it extends, then itself.
    Template,
    /// The environment, such as `production`.
    Environment,
    /// The breaker itself.
    Breaker,
    /// An environment variable.
    Variable,
    /// The program.
    Code,
}

impl<T> Written<T> {
    pub(crate) fn new(value: T, origin: Origin) -> Written<T> {
        Written { value, origin }
    }

    /// Where it is written.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Written<U> {
        Written { value: f(&self.value), origin: self.origin.clone() }
    }
}

impl<T> From<T> for Written<T> {
    fn from(value: T) -> Written<T> {
        Written { value, origin: Origin::LIBRARY }
    }
}

impl<T: PartialEq> PartialEq for Written<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: serde::Serialize> serde::Serialize for Written<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Origin {
    /// The library's own value, which is written nowhere.
    pub(crate) const LIBRARY: Origin = Origin(None);

    pub(crate) fn new(layer: Layer, path: String, place: Place) -> Origin {
        Origin(Some(Arc::new(Known { layer, path, place })))
    }

    /// The layer that decided.
    pub fn layer(&self) -> Layer {
        self.0.as_ref().map_or(Layer::Library, |known| known.layer.clone())
    }

    /// The key as it is written, such as `breakers.payments.timeout`; empty for the library's values.
    pub fn path(&self) -> &str {
        self.0.as_ref().map_or("", |known| &known.path)
    }

    /// Where it is written; none for the library's values.
    pub fn place(&self) -> Option<&Place> {
        self.0.as_ref().map(|known| &known.place)
    }

    /// The last part of the key as it is written.
    pub(crate) fn key(&self) -> &str {
        self.path().rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(known) = &self.0 else { return f.write_str("library default") };
        match known.place.kind() {
            SourceKind::File | SourceKind::Shipped => write!(f, "{}, {}", known.path, known.place),
            SourceKind::Variable | SourceKind::Code => write!(f, "{}", known.place),
        }
    }
}
