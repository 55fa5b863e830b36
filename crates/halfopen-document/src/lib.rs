#![cfg_attr(docsrs, feature(doc_cfg))]
#![doc = include_str!("../README.md")]

mod display;
mod file;
mod format;
mod group;
mod located;
mod part;
mod path;
mod period;
mod problem;
mod reader;
pub mod scalar;
#[cfg(feature = "schema")]
mod schema;
mod section;
mod source;
pub mod suggest;
mod tree;
pub mod watch;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod work;

pub use display::quoted;
pub use file::read_file;
pub use format::Format;
pub use group::{Group, Slot};
pub use halfopen::adapter::without_passwords;
pub use located::{Layer, Located, Origin};
pub use part::{Part, StaticDefault};
pub use path::Path;
pub use period::Period;
pub use problem::{DocumentError, Problem, Severity, summary};
pub use reader::{Fields, Reader};
#[cfg(feature = "schema")]
pub use schema::{Seconds, Word};
pub use section::{Lint, Scope, Section, SectionKind, SectionKinds, Sections};
pub use source::{Source, SourceKind, Span};
pub use tree::{Entry, MAX_DEPTH, Node, Value, parse};

#[doc(hidden)]
pub use serde as __serde;
