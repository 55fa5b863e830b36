use std::path::Path;

/// The syntax of a document; the structure is the same in all three.
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
    /// Returns the format of a file by its extension, `.yaml`, `.yml`, `.toml` or `.json`, or [`None`] for any
    /// other.
    ///
    /// # Examples
    ///
    /// ```
    /// use halfopen_document::Format;
    ///
    /// assert_eq!(Format::of_path("etc/breakers.yml"), Some(Format::Yaml));
    /// assert_eq!(Format::of_path("breakers.ini"), None);
    /// ```
    pub fn of_path(path: impl AsRef<Path>) -> Option<Format> {
        let extension = path.as_ref().extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "yaml" | "yml" => Some(Format::Yaml),
            "toml" => Some(Format::Toml),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// Returns the name of the format, such as `YAML`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Yaml => "YAML",
            Format::Toml => "TOML",
            Format::Json => "JSON",
        }
    }
}
