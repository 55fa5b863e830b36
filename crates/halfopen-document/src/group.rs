use crate::{Node, Origin, Path, Reader};

/// A set of keys of a document that belong together; defined by [`group!`](crate::group).
///
/// A group can be read from a node, overlaid by the same group of a higher layer, and visited with the origin of
/// each of its values.
pub trait Group: Default {
    /// The keys of the group.
    const KEYS: &'static [&'static str];

    /// Reads the group and reports its problems.
    fn read(node: &Node, reader: &mut Reader<'_>) -> Self;

    /// Replaces each value that a higher layer sets.
    fn overlay(&mut self, upper: &Self);

    /// Returns true if no value is set.
    fn is_empty(&self) -> bool;

    /// Visits every value that is set, with its path and origin; `path` is that of the group.
    fn visit(&self, path: &mut Path, visit: &mut dyn FnMut(&str, &Origin));
}

/// A value or a group, for keys of which one replaces the other.
#[doc(hidden)]
pub trait Slot {
    fn is_set(&self) -> bool;
    fn clear(&mut self);
}

impl<T> Slot for Option<T> {
    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn clear(&mut self) {
        *self = None;
    }
}

impl<G: Group> Slot for G {
    fn is_set(&self) -> bool {
        !self.is_empty()
    }

    fn clear(&mut self) {
        *self = G::default();
    }
}

/// Defines a [`Group`]: its type, its reader and its overlay, from one list of keys.
///
/// `values` are single values, each with its type and a function that reads it; `groups` are groups inside it.
/// `instead` lists the keys of lower layers that a key replaces. `also` is a function that reads more keys into the
/// group, and `elsewhere` one that returns advice for an unknown key. `sections` names a field for the
/// [`Sections`](crate::Sections) of an entry, whose keys stand beside those of the group.
///
/// # Examples
///
/// ```
/// use halfopen_document::{Format, Group, Layer, Path, Period, Reader, Source, SourceKind, group, parse, scalar};
///
/// group! {
///     /// The group `pool`: how many connections are open.
///     Pool, expected "a pool such as { size: 5 }"
///     values {
///         /// The number of connections.
///         size: u32 = scalar::positive,
///         /// How long a connection may be idle.
///         idle: Period = Period::read,
///     }
/// }
///
/// let source = Source::new(SourceKind::File, "pool.yaml", "{ size: 5, idle: 30 }");
/// let mut problems = Vec::new();
/// let mut reader = Reader::new(Layer::Entry, Path::new(&["pool"]), &mut problems);
/// let pool = Pool::read(&parse(Format::Yaml, &source).unwrap(), &mut reader);
/// assert_eq!(pool.size.unwrap().value, 5);
/// assert_eq!(problems[0].message(), "`pool.idle` is 30, but must be a duration such as 30s, 500ms or 1m30s");
/// ```
#[macro_export]
macro_rules! group {
    (
        $(#[$meta:meta])*
        $name:ident, expected $expected:literal
        values { $( $(#[$doc:meta])* $key:ident: $type:ty = $read:expr, )* }
        $( groups { $( $(#[$inner_doc:meta])* $inner:ident: $inner_type:ty = $inner_read:expr, )* } )?
        $( instead { $( $one:ident of $($other:ident)+, )* } )?
        $( sections $sections:ident )?
        $( also $also:expr )?
        $( , elsewhere $elsewhere:expr )?
    ) => {
        #[derive(Clone, Debug, Default, PartialEq)]
        $(#[$meta])*
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                pub $key: ::core::option::Option<$crate::Located<$type>>,
            )*
            $( $(
                $(#[$inner_doc])*
                pub $inner: $crate::Part<$inner_type>,
            )* )?
            $(
                /// The sections of other crates.
                #[cfg_attr(feature = "schema", schemars(skip))]
                pub $sections: $crate::Sections,
            )?
        }

        impl $crate::Group for $name {
            const KEYS: &'static [&'static str] =
                &[$( stringify!($key), )* $( $( stringify!($inner), )* )?];

            fn read(node: &$crate::Node, reader: &mut $crate::Reader<'_>) -> $name {
                let mut fields = reader.fields(node, $expected);
                #[allow(unused_mut, reason = "for groups with more keys than fields")]
                let mut group = $name {
                    $( $key: fields.take(stringify!($key), reader, $read), )*
                    $( $( $inner: fields.group(stringify!($inner), reader, |node, reader| $crate::Part::from($inner_read(node, reader))), )* )?
                    $( $sections: $crate::Sections::read($crate::Scope::Entry, &mut fields, reader), )?
                };
                $( $also(&mut group, &mut fields, reader); )?
                fields.finish_with(reader, |_path, _entry| {
                    ::core::option::Option::None $( .or_else(|| $elsewhere(_path, _entry)) )?
                });
                group
            }

            fn overlay(&mut self, upper: &$name) {
                $( $( if $crate::Slot::is_set(&upper.$one) {
                    $( $crate::Slot::clear(&mut self.$other); )+
                } )* )?
                $( if upper.$key.is_some() { self.$key.clone_from(&upper.$key); } )*
                $( $( $crate::Group::overlay(&mut self.$inner, &upper.$inner); )* )?
                $( self.$sections.overlay(&upper.$sections); )?
            }

            fn is_empty(&self) -> bool {
                true $( && self.$key.is_none() )* $( $( && $crate::Group::is_empty(&self.$inner) )* )?
                    $( && self.$sections.is_empty() )?
            }

            fn visit(
                &self,
                path: &mut $crate::Path,
                visit: &mut dyn ::core::ops::FnMut(&str, &$crate::Origin),
            ) {
                $( if let ::core::option::Option::Some(value) = &self.$key {
                    path.within(stringify!($key), |path| visit(path.as_str(), value.origin()));
                } )*
                $( $( path.within(stringify!($inner), |path| $crate::Group::visit(&self.$inner, path, visit)); )* )?
                $( self.$sections.visit(path, visit); )?
            }
        }

        impl $crate::StaticDefault for $name {
            fn static_default() -> &'static $name {
                static EMPTY: $name = $name {
                    $( $key: ::core::option::Option::None, )*
                    $( $( $inner: $crate::Part::EMPTY, )* )?
                    $( $sections: $crate::Sections::EMPTY, )?
                };
                &EMPTY
            }
        }

        // By hand, as the derive would make every crate with a group depend on serde.
        impl $crate::__serde::Serialize for $name {
            fn serialize<S: $crate::__serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                use $crate::__serde::ser::SerializeMap as _;

                #[allow(unused_mut, reason = "for groups without keys")]
                let mut map = serializer.serialize_map(::core::option::Option::None)?;
                $( if let ::core::option::Option::Some(value) = &self.$key {
                    map.serialize_entry(stringify!($key), value)?;
                } )*
                $( $( if !$crate::Group::is_empty(&self.$inner) {
                    map.serialize_entry(stringify!($inner), &self.$inner)?;
                } )* )?
                $( self.$sections.serialize_entries(&mut map)?; )?
                map.end()
            }
        }
    };
}
