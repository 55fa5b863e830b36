use granit_parser::Tag as Parsed;

/// The namespace of the tags that YAML defines.
const YAML: &str = "tag:yaml.org,2002:";

/// The type that the tag of a scalar gives it.
#[derive(Clone, Debug)]
pub(super) enum Tag {
    /// Resolved by the form of the text.
    Untagged,
    /// `!`, which makes any text a text.
    NonSpecific,
    Text,
    Integer,
    Float,
    Bool,
    Null,
    Binary,
    /// `<<` is a merge key also with `!!merge`.
    Merge,
    /// Without effect.
    Ignored,
    /// A type that no value of a document has.
    Unsupported,
    /// Without effect, but part of a key.
    Custom(Box<str>),
}

enum Resolved {
    Scalar(Tag),
    List,
    Map,
}

/// Returns the type of a scalar.
pub(super) fn of_scalar(tag: Option<&Parsed>) -> Result<Tag, String> {
    let Some(tag) = tag else { return Ok(Tag::Untagged) };
    match resolve(tag) {
        Resolved::Scalar(resolved) => Ok(resolved),
        Resolved::List | Resolved::Map => Err(unfit("a single value", tag)),
    }
}

/// Checks the tag of a list.
pub(super) fn check_list(tag: Option<&Parsed>) -> Result<(), String> {
    let Some(tag) = tag else { return Ok(()) };
    match resolve(tag) {
        Resolved::List => Ok(()),
        Resolved::Scalar(resolved) if resolved.fits_all() => Ok(()),
        Resolved::Scalar(_) | Resolved::Map => Err(unfit("a list", tag)),
    }
}

/// Checks the tag of a map.
pub(super) fn check_map(tag: Option<&Parsed>) -> Result<(), String> {
    let Some(tag) = tag else { return Ok(()) };
    match resolve(tag) {
        Resolved::Map => Ok(()),
        Resolved::Scalar(resolved) if resolved.fits_all() => Ok(()),
        Resolved::Scalar(_) | Resolved::List => Err(unfit("a map", tag)),
    }
}

#[cold]
fn unfit(what: &str, tag: &Parsed) -> String {
    format!("{what} cannot have the tag `{}`", tag.original())
}

impl Tag {
    /// Returns true if a list or map may have the tag as well.
    fn fits_all(&self) -> bool {
        match self {
            Tag::Untagged | Tag::NonSpecific | Tag::Custom(_) => true,
            Tag::Text
            | Tag::Integer
            | Tag::Float
            | Tag::Bool
            | Tag::Null
            | Tag::Binary
            | Tag::Merge
            | Tag::Ignored
            | Tag::Unsupported => false,
        }
    }
}

/// Resolves a tag by its URI, and a local one such as `!int` by its name.
fn resolve(tag: &Parsed) -> Resolved {
    let custom = || Resolved::Scalar(Tag::Custom(tag.to_string().into()));
    if is_include(tag) {
        return Resolved::Scalar(Tag::Ignored);
    }
    if let Some(name) = tag.core_suffix() {
        return core(name).unwrap_or_else(custom);
    }
    if let Some(name) = tag.suffix_in_namespace(YAML) {
        return match &*name {
            "merge" => Resolved::Scalar(Tag::Merge),
            "value" => Resolved::Scalar(Tag::Ignored),
            name => named(name.strip_prefix('!').unwrap_or(name)).unwrap_or_else(custom),
        };
    }
    match tag.suffix_in_namespace("!").as_deref() {
        Some("" | "!") => Resolved::Scalar(Tag::NonSpecific),
        Some("!timestamp") => Resolved::Scalar(Tag::Unsupported),
        Some("!binary") => Resolved::Scalar(Tag::Binary),
        Some(name) => name.strip_prefix('!').map_or_else(|| named(name), core).unwrap_or_else(custom),
        None => custom(),
    }
}

/// Returns true for the tag of an inclusion of another file, which is not read.
fn is_include(tag: &Parsed) -> bool {
    let forms = ["!include", "tag:yaml.org,2002:include", "tag:yaml.org,2002:!include"];
    forms.iter().any(|form| {
        tag.suffix_in_namespace(form).is_some_and(|rest| rest.is_empty() || rest.starts_with('#'))
    })
}

fn named(name: &str) -> Option<Resolved> {
    match name {
        "timestamp" | "time" | "degrees" | "radians" => Some(Resolved::Scalar(Tag::Unsupported)),
        "binary" => Some(Resolved::Scalar(Tag::Binary)),
        name => core(name),
    }
}

fn core(name: &str) -> Option<Resolved> {
    match name {
        "null" => Some(Resolved::Scalar(Tag::Null)),
        "bool" => Some(Resolved::Scalar(Tag::Bool)),
        "int" => Some(Resolved::Scalar(Tag::Integer)),
        "float" => Some(Resolved::Scalar(Tag::Float)),
        "str" => Some(Resolved::Scalar(Tag::Text)),
        "seq" => Some(Resolved::List),
        "map" => Some(Resolved::Map),
        _ => None,
    }
}
