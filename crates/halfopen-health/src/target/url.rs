use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use halfopen::adapter::{with_causes, without_passwords};
use reqwest::{Client, Url};

use super::Answer;

/// A URL, and the client that asks it.
#[derive(Clone)]
pub(crate) struct UrlTarget {
    url: String,
    given: Option<Client>,
    /// Made by the first check, so that building a check cannot fail.
    own: Arc<OnceLock<Client>>,
}

impl UrlTarget {
    pub(crate) fn new(url: String, given: Option<Client>) -> UrlTarget {
        UrlTarget { url, given, own: Arc::default() }
    }

    pub(crate) fn validate(&self) -> Result<(), String> {
        let valid =
            Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if valid {
            Ok(())
        } else {
            Err(format!("url is {:?}, but must be a URL such as http://db.internal/health", self.shown()))
        }
    }

    pub(super) async fn ask(self) -> Answer {
        let client = self.client()?;
        let response = client.get(&self.url).send().await.map_err(|error| with_causes(&error))?;
        // The body is not read: an endless one must not occupy the check.
        if response.status().is_success() {
            Ok(())
        } else {
            Err(format!("{}: {}", self.shown(), response.status()))
        }
    }

    fn shown(&self) -> Cow<'_, str> {
        without_passwords(&self.url)
    }

    fn client(&self) -> Result<Client, String> {
        if let Some(client) = self.given.as_ref().or_else(|| self.own.get()) {
            return Ok(client.clone());
        }
        // No proxy of the environment, and a new connection each time: an old one is no evidence that the server
        // accepts callers.
        let client = Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("halfopen-health/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| with_causes(&error))?;
        Ok(self.own.get_or_init(|| client).clone())
    }
}

// A client cannot be compared; one that is given is that of the same target only.
impl PartialEq for UrlTarget {
    fn eq(&self, other: &UrlTarget) -> bool {
        self.url == other.url
            && (Arc::ptr_eq(&self.own, &other.own) || (self.given.is_none() && other.given.is_none()))
    }
}

impl fmt::Debug for UrlTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url {}", self.shown())
    }
}
