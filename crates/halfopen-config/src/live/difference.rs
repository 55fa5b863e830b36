use std::fmt;

use halfopen::adapter::Printable;
use halfopen_document::without_passwords;

use crate::{Configuration, Explanation};

/// The difference between two configurations.
///
/// Its [`Display`](std::fmt::Display) is one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    created: Vec<String>,
    removed: Vec<String>,
    changed: Vec<Changed>,
    sections: Option<Changed>,
}

/// A name or pattern whose values changed.
///
/// Its [`Display`](std::fmt::Display) and its [`Debug`](std::fmt::Debug) have `***` in place of the passwords of URLs.
#[derive(Clone, PartialEq, Eq)]
pub struct Changed {
    name: String,
    values: Vec<(String, Option<String>, Option<String>)>,
}

impl Difference {
    /// Returns true if nothing changed.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.sections.is_none()
    }

    /// Returns the names and patterns that were added.
    pub fn created(&self) -> &[String] {
        &self.created
    }

    /// Returns the names and patterns that were removed.
    pub fn removed(&self) -> &[String] {
        &self.removed
    }

    /// Returns the names and patterns whose values changed; `*` stands for the names that the document does not
    /// have.
    pub fn changed(&self) -> &[Changed] {
        &self.changed
    }

    /// Returns the changed values of sections of the document as a whole.
    pub fn sections(&self) -> Option<&Changed> {
        self.sections.as_ref()
    }

    pub(super) fn between(before: &Configuration, after: &Configuration) -> Difference {
        let names =
            |of: &Configuration| of.all().map(|settings| settings.name().to_owned()).collect::<Vec<_>>();
        let (old, new) = (names(before), names(after));
        let only = |these: &[String], those: &[String]| {
            these.iter().filter(|name| those.binary_search(name).is_err()).cloned().collect::<Vec<_>>()
        };
        // The settings of all other names are compared too, although `*` need not be written.
        let both = old.iter().filter(|name| new.binary_search(name).is_ok() && *name != "*");
        let changed = both.map(String::as_str).chain(["*"]);
        let changed = changed.filter_map(|name| Changed::between(name, before, after)).collect();
        let sections = Changed::of("document", &before.explain_sections(), &after.explain_sections());
        Difference { created: only(&new, &old), removed: only(&old, &new), changed, sections }
    }
}

impl Changed {
    /// Returns the name or pattern.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path of each changed value with its old and its new value; [`None`] stands for an absent
    /// value.
    pub fn values(&self) -> impl Iterator<Item = (&str, Option<&str>, Option<&str>)> {
        self.values.iter().map(|(path, before, after)| (path.as_str(), before.as_deref(), after.as_deref()))
    }

    fn between(name: &str, before: &Configuration, after: &Configuration) -> Option<Changed> {
        Changed::of(name, &before.explain(name), &after.explain(name))
    }

    fn of(name: &str, old: &Explanation, new: &Explanation) -> Option<Changed> {
        let gone = old.values().iter().filter(|value| new.get(value.path()).is_none());
        let gone = gone.map(|value| (value.path().to_owned(), Some(value.value().to_owned()), None));
        let differs = new.values().iter().filter_map(|value| {
            let was = old.get(value.path()).map(|was| was.value().to_owned());
            let is = Some(value.value().to_owned());
            (was != is).then(|| (value.path().to_owned(), was, is))
        });
        let values: Vec<_> = differs.chain(gone).collect();
        (!values.is_empty()).then(|| Changed { name: name.to_owned(), values })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let list = |word: &str, names: &[String]| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            (!names.is_empty()).then(|| format!("{word} {}", names.join(", ")))
        };
        let parts = [list("created", &self.created), list("removed", &self.removed)].into_iter().flatten();
        let changed = self.changed.iter().chain(&self.sections).map(Changed::to_string);
        f.write_str(&parts.chain(changed).collect::<Vec<_>>().join("; "))
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Changed({self})")
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "changed `{}`:", self.name)?;
        for (place, (path, before, after)) in self.values().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            let [before, after] = [before, after].map(|value| without_passwords(value.unwrap_or("none")));
            let is_hidden = before == after;
            let [before, after] = [&before, &after].map(|value| Printable::new(value).whole().escaped());
            write!(f, "{comma} {path} {before} -> {after}")?;
            if is_hidden {
                f.write_str(" (another password)")?;
            }
        }
        Ok(())
    }
}
