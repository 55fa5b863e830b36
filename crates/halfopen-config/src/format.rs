use std::path::Path;

/// How a document is written; the shape is the same in all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// YAML 1.2, with anchors, aliases and merge keys.
    Yaml,
    /// TOML 1.1.
    Toml,
    /// JSON.
    Json,
}

impl Format {
    /// The format that the ending of a file's name says: `.yaml`, `.yml`, `.toml` or `.json`.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_config::Format;
    ///
    /// assert_eq!(Format::of_path("etc/breakers.yml"), Some(Format::Yaml));
    /// assert_eq!(Format::of_path("breakers.ini"), None);
    /// ```
    pub fn of_path(path: impl AsRef<Path>) -> Option<Format> {
        let ending = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Format::Yaml => "YAML",
            Format::Toml => "TOML",
            Format::Json => "JSON",
        }
    }
}
