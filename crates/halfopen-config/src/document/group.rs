//! A group of keys: its type, how it is read, and how a higher layer is laid over it, from one list.

/// What a value is called in an explanation, and where it comes from.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&str, &crate::Origin);

/// Defines a group. `values` are single values with their reader, `groups` are groups in it; `instead`
/// says which keys of a lower layer a key takes the place of; `also` reads more keys into it, and `elsewhere`
/// says where a key belongs that is none of its own.
macro_rules! group {
    (
        $(#[$meta:meta])*
        $name:ident, expected $expected:literal
        values { $( $(#[$doc:meta])* $key:ident: $type:ty = $read:expr, )* }
        $( groups { $( $(#[$inner_doc:meta])* $inner:ident: $inner_type:ty = $inner_read:expr, )* } )?
        $( instead { $( $one:ident of $($other:ident)+, )* } )?
        $( also $also:expr )?
        $( , elsewhere $elsewhere:expr )?
    ) => {
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
        $(#[$meta])*
        #[non_exhaustive]
        pub struct $name {
            $(
                $(#[$doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $key: Option<$crate::Written<$type>>,
            )*
            $( $(
                $(#[$inner_doc])*
                #[serde(skip_serializing_if = "crate::document::group::Group::is_empty")]
                #[cfg_attr(feature = "schema", schemars(default))]
                pub $inner: $inner_type,
            )* )?
        }

        impl $crate::document::group::Group for $name {
            const KEYS: &'static [&'static str] =
                &[$( stringify!($key), )* $( $( stringify!($inner), )* )?];

            fn read(node: &$crate::tree::Node, reader: &mut $crate::reader::Reader<'_>) -> $name {
                let mut fields = reader.fields(node, $expected);
                #[allow(unused_mut, reason = "for groups with more keys than fields")]
                let mut group = $name {
                    $( $key: fields.take(stringify!($key), reader, $read), )*
                    $( $( $inner: fields.group(stringify!($inner), reader, $inner_read), )* )?
                };
                $( $also(&mut group, &mut fields, reader); )?
                #[allow(unused_variables, reason = "for groups that know of no other place")]
                let path = reader.path();
                fields.finish_with(reader, |_entry| None $( .or_else(|| $elsewhere(&path, _entry)) )?);
                group
            }

            fn overlay(&mut self, upper: &$name) {
                $( $( if $crate::document::group::Slot::is_set(&upper.$one) {
                    $( $crate::document::group::Slot::clear(&mut self.$other); )+
                } )* )?
                $( if upper.$key.is_some() { self.$key.clone_from(&upper.$key); } )*
                $( $( self.$inner.overlay(&upper.$inner); )* )?
            }

            fn is_empty(&self) -> bool {
                true $( && self.$key.is_none() )* $( $( && self.$inner.is_empty() )* )?
            }

            fn visit(&self, path: &str, visit: $crate::document::group::Visit<'_>) {
                $( if let Some(written) = &self.$key {
                    visit(&format!("{path}.{}", stringify!($key)), written.origin());
                } )*
                $( $( self.$inner.visit(&format!("{path}.{}", stringify!($inner)), visit); )* )?
            }
        }
    };
}

pub(crate) use group;

/// What every group can do.
pub(crate) trait Group: Sized {
    /// Its keys, but for those that `also` reads.
    const KEYS: &'static [&'static str];

    /// Reads it, telling what is wrong.
    fn read(node: &crate::tree::Node, reader: &mut crate::reader::Reader<'_>) -> Self;

    /// Takes over what a higher layer says.
    fn overlay(&mut self, upper: &Self);

    fn is_empty(&self) -> bool;

    /// Shows every value that is written, with its path.
    fn visit(&self, path: &str, visit: Visit<'_>);
}

/// A value or a group, for keys that take each other's place.
pub(crate) trait Slot {
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

impl<G: Group + Default> Slot for G {
    fn is_set(&self) -> bool {
        !self.is_empty()
    }

    fn clear(&mut self) {
        *self = G::default();
    }
}
