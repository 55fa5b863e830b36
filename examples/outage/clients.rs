use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::ValueEnum;
use halfopen::CircuitBreaker;
use http::{Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use serde::Serialize;
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use crate::answer::Answers;
use crate::ledger::Ledger;
use crate::over_hyper;
#[cfg(feature = "reqwest")]
use crate::over_reqwest;
#[cfg(feature = "tonic")]
use crate::over_tonic;
use crate::pace::Pace;
use crate::request::HttpRequest;
use crate::retry::TryAgain;

pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Client = BoxCloneSyncService<HttpRequest, Response<Body>, BoxError>;

/// The HTTP library of both clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Library {
    /// hyper under tower layers, with the breaker as a tower layer.
    Hyper,
    /// reqwest, with the breaker as a middleware.
    #[cfg(feature = "reqwest")]
    Reqwest,
    /// tonic's channel, with the breaker as its layer.
    #[cfg(feature = "tonic")]
    Tonic,
}

/// The settings of both clients.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    pub(crate) library: Library,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    /// How long a caller waits for one attempt, in script time.
    pub(crate) timeout: Duration,
}

impl Making {
    #[cfg_attr(
        not(feature = "tonic"),
        allow(unused_variables, reason = "a channel alone is made for one URI")
    )]
    pub(crate) fn bare(self, uri: &Uri, ledger: Arc<Ledger>) -> Client {
        match self.library {
            Library::Hyper => over_hyper::bare(self, ledger),
            #[cfg(feature = "reqwest")]
            Library::Reqwest => over_reqwest::client(self, ledger, None),
            #[cfg(feature = "tonic")]
            Library::Tonic => over_tonic::bare(self, uri, ledger),
        }
    }

    /// The same with a circuit breaker.
    #[cfg_attr(
        not(feature = "tonic"),
        allow(unused_variables, reason = "a channel alone is made for one URI")
    )]
    pub(crate) fn protected(self, uri: &Uri, ledger: Arc<Ledger>, breaker: CircuitBreaker) -> Client {
        match self.library {
            Library::Hyper => over_hyper::protected(self, ledger, breaker),
            #[cfg(feature = "reqwest")]
            Library::Reqwest => over_reqwest::client(self, ledger, Some(breaker)),
            #[cfg(feature = "tonic")]
            Library::Tonic => over_tonic::protected(self, uri, ledger, breaker),
        }
    }

    pub(crate) fn try_again(self) -> TryAgain {
        TryAgain { answers: Answers::new(self.pace), pace: self.pace, seed: self.seed, attempt: 1 }
    }

    /// How long a caller waits for one attempt, in real time.
    pub(crate) fn patience(self) -> Duration {
        self.pace.real(self.timeout)
    }
}
