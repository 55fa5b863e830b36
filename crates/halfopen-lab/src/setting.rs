//! The settings that are compared.

use std::fmt;
use std::path::Path;

use halfopen::CircuitBreakerConfig;
use halfopen_config::{Configuration, DocumentError, Loader};
use halfopen_http::{GrpcClassify, HttpClassify};

/// A configuration of breakers, with a name for tables.
#[derive(Clone, Debug)]
pub struct Setting {
    name: String,
    source: SettingSource,
}

#[derive(Clone, Debug)]
enum SettingSource {
    /// The same for all breakers.
    Config(CircuitBreakerConfig),
    /// Breakers by their names.
    Document(Box<Configuration>),
}

/// The settings of one breaker.
#[derive(Clone, Debug)]
pub(crate) struct BreakerSetting {
    pub(crate) config: CircuitBreakerConfig,
    pub(crate) http: HttpClassify,
    pub(crate) grpc: GrpcClassify,
    pub(crate) is_enabled: bool,
}

impl Setting {
    /// The names that [`preset`](Self::preset) knows.
    pub const PRESETS: [&str; 4] = ["default", "adaptive", "aggressive", "conservative"];

    /// Creates a setting with one configuration for all breakers.
    pub fn new(name: impl Into<String>, config: CircuitBreakerConfig) -> Setting {
        Setting { name: name.into(), source: SettingSource::Config(config) }
    }

    /// Returns a configuration of the library by its name, or [`None`] for a name that is not in
    /// [`PRESETS`](Self::PRESETS).
    pub fn preset(name: &str) -> Option<Setting> {
        let config = match name {
            "default" => CircuitBreakerConfig::default(),
            "adaptive" => CircuitBreakerConfig::adaptive(),
            "aggressive" => CircuitBreakerConfig::aggressive(),
            "conservative" => CircuitBreakerConfig::conservative(),
            _ => return None,
        };
        Some(Setting::new(name, config))
    }

    /// Reads a document of breakers, in which each key of the log is looked up by its name.
    ///
    /// # Errors
    ///
    /// Returns all problems of the document, each with its place.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Setting, DocumentError> {
        let path = path.as_ref();
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
        let configuration = Loader::new().file(path).load()?;
        Ok(Setting { name, source: SettingSource::Document(Box::new(configuration)) })
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn of(&self, breaker: &str) -> BreakerSetting {
        match &self.source {
            SettingSource::Config(config) => BreakerSetting {
                config: config.clone(),
                http: HttpClassify::default(),
                grpc: GrpcClassify::default(),
                is_enabled: true,
            },
            SettingSource::Document(configuration) => {
                let settings = configuration.settings(breaker);
                BreakerSetting {
                    config: settings.config().clone(),
                    http: settings.http(),
                    grpc: settings.grpc(),
                    is_enabled: settings.is_enabled(),
                }
            }
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
