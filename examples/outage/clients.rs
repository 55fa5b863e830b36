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
use crate::pace::Pace;
use crate::request::HttpRequest;
use crate::retry::TryAgain;
use crate::{over_hyper, over_reqwest, over_tonic};

pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Client = BoxCloneSyncService<HttpRequest, Response<Body>, BoxError>;

/// What both clients are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Library {
    /// hyper's client under tower layers, with the tower layer of the breaker.
    Hyper,
    /// reqwest, with the breaker as a middleware.
    Reqwest,
    /// tonic's channel, with the breaker as its layer.
    Tonic,
}

/// What both clients are made with.
#[derive(Clone, Copy)]
pub(crate) struct Making {
    pub(crate) library: Library,
    pub(crate) pace: Pace,
    pub(crate) seed: u64,
    /// How long a caller waits for one attempt, in script time.
    pub(crate) timeout: Duration,
}

impl Making {
    pub(crate) fn bare(self, uri: &Uri, ledger: Arc<Ledger>) -> Client {
        match self.library {
            Library::Hyper => over_hyper::bare(self, ledger),
            Library::Reqwest => over_reqwest::client(self, ledger, None),
            Library::Tonic => over_tonic::bare(self, uri, ledger),
        }
    }

    /// The same with one layer more.
    pub(crate) fn protected(self, uri: &Uri, ledger: Arc<Ledger>, breaker: CircuitBreaker) -> Client {
        match self.library {
            Library::Hyper => over_hyper::protected(self, ledger, breaker),
            Library::Reqwest => over_reqwest::client(self, ledger, Some(breaker)),
            Library::Tonic => over_tonic::protected(self, uri, ledger, breaker),
        }
    }

    pub(crate) fn try_again(self) -> TryAgain {
        TryAgain { answers: Answers::new(self.pace), pace: self.pace, seed: self.seed, attempt: 1 }
    }

    /// How long a caller waits for one attempt, at our pace.
    pub(crate) fn patience(self) -> Duration {
        self.pace.real(self.timeout)
    }
}
