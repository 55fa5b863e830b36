use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use crate::{Group, Node, Origin, Path, Reader};

/// A [`Group`] inside another, which takes a word of memory until it is written.
///
/// Clones share the group until one of them is changed, as the layers of a configuration mostly repeat the group of one.
///
/// It can be used as the group itself: a part that is not written reads as the empty group, and is made when a value of
/// it is changed. Documents repeat few of their groups in each of many entries, so that most parts are empty.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Group, Located, Part, group, scalar};
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
/// let mut pool: Part<Pool> = Part::default();
/// assert!(pool.is_empty() && pool.size.is_none());
/// pool.size = Some(Located::from(5));
/// assert_eq!(pool.size.as_ref().unwrap().value, 5);
/// ```
pub struct Part<G>(Option<Arc<G>>);

/// A type with a default value that lives as long as the program; [`group!`](crate::group) implements it.
pub trait StaticDefault: Default + 'static {
    /// Returns the default value.
    fn static_default() -> &'static Self;
}

impl<G> Part<G> {
    /// The part that is not written.
    pub const EMPTY: Part<G> = Part(None);
}

impl<G: StaticDefault> Deref for Part<G> {
    type Target = G;

    fn deref(&self) -> &G {
        self.0.as_deref().unwrap_or_else(|| G::static_default())
    }
}

impl<G: StaticDefault + Clone> DerefMut for Part<G> {
    fn deref_mut(&mut self) -> &mut G {
        Arc::make_mut(self.0.get_or_insert_default())
    }
}

impl<G: Group> From<G> for Part<G> {
    fn from(group: G) -> Part<G> {
        Part((!group.is_empty()).then(|| Arc::new(group)))
    }
}

impl<G> Default for Part<G> {
    fn default() -> Part<G> {
        Part::EMPTY
    }
}

impl<G> Clone for Part<G> {
    fn clone(&self) -> Part<G> {
        Part(self.0.clone())
    }
}

impl<G: StaticDefault + PartialEq> PartialEq for Part<G> {
    fn eq(&self, other: &Part<G>) -> bool {
        **self == **other
    }
}

impl<G: StaticDefault + fmt::Debug> fmt::Debug for Part<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<G: Group + Clone> Group for Part<G> {
    const KEYS: &'static [&'static str] = G::KEYS;

    fn read(node: &Node, reader: &mut Reader<'_>) -> Part<G> {
        G::read(node, reader).into()
    }

    fn overlay(&mut self, upper: &Part<G>) {
        match (&mut self.0, &upper.0) {
            (_, None) => {}
            (None, Some(_)) => self.clone_from(upper),
            (Some(lower), Some(upper)) => Arc::make_mut(lower).overlay(upper),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|group| group.is_empty())
    }

    fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin)) {
        if let Some(group) = &self.0 {
            group.visit(path, visit);
        }
    }
}

impl<G: StaticDefault + serde::Serialize> serde::Serialize for Part<G> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

#[cfg(feature = "schema")]
impl<G: schemars::JsonSchema> schemars::JsonSchema for Part<G> {
    fn inline_schema() -> bool {
        G::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        G::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        G::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        G::json_schema(generator)
    }
}

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro's types are public")]
mod tests {
    use super::*;
    use crate::{Located, group, scalar};

    group! {
        /// A group.
        Pool, expected "a pool"
        values {
            /// A value.
            size: u32 = scalar::positive,
        }
    }

    fn of_size(size: u32) -> Part<Pool> {
        Part::from(Pool { size: Some(Located::from(size)) })
    }

    #[test]
    fn an_empty_group_and_none_are_equal() {
        let mut written = Part::<Pool>::default();
        assert!(written.size.take().is_none(), "a change makes the group");
        assert_eq!(written, Part::default());
        assert!(written.is_empty());
    }

    #[test]
    fn a_change_of_a_clone_is_its_own() {
        let original = of_size(5);
        let mut clone = original.clone();
        clone.size = Some(Located::from(8));
        assert_eq!((original, clone), (of_size(5), of_size(8)));
    }

    #[test]
    fn an_overlay_of_nothing_changes_nothing() {
        let mut lower = of_size(5);
        lower.overlay(&Part::default());
        assert_eq!(lower, of_size(5));
    }

    #[test]
    fn an_overlay_replaces_what_it_has() {
        let upper = of_size(8);
        for mut lower in [Part::default(), of_size(5)] {
            lower.overlay(&upper);
            assert_eq!(lower, upper);
            lower.overlay(&of_size(9));
            assert_eq!((lower, &upper), (of_size(9), &of_size(8)), "the layer above is not changed");
        }
    }
}
