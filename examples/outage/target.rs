use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tower::{BoxError, ServiceExt};

use crate::options::Options;
use crate::over_hyper;
use crate::pace::Pace;
use crate::request::{self, Sender};
use crate::script::Script;
use crate::server::SickServer;

/// The time limit for reaching an external server.
const PATIENCE: Duration = Duration::from_secs(5);

/// The target of the calls: our own server, not started yet, or an external one.
pub(crate) enum Target {
    Ours(TcpListener, Uri),
    Theirs(Uri),
}

impl Target {
    pub(crate) async fn of(options: &Options) -> Result<Self, BoxError> {
        match &options.url {
            Some(uri) => {
                reach(uri).await?;
                Ok(Self::Theirs(uri.clone()))
            }
            None => {
                let (address, listener) = SickServer::bind().await?;
                Ok(Self::Ours(listener, format!("http://{address}/").parse()?))
            }
        }
    }

    pub(crate) fn uri(&self) -> &Uri {
        match self {
            Self::Ours(_, uri) | Self::Theirs(uri) => uri,
        }
    }

    pub(crate) fn script(&self, options: &Options) -> Script {
        match self {
            Self::Ours(..) => Script::of_the_demonstration(),
            Self::Theirs(_) => Script::unknown(options.duration()),
        }
    }

    /// Starts our own server, if it is the target.
    pub(crate) fn start(self, script: &Script, pace: Pace, seed: u64) -> Option<SickServer> {
        match self {
            Self::Ours(listener, _) => {
                Some(SickServer::start(listener, Arc::new(script.clone()), pace, seed))
            }
            Self::Theirs(_) => None,
        }
    }
}

/// Any response will do: a server that fails from the start is still one to protect.
async fn reach(uri: &Uri) -> Result<(), BoxError> {
    let request = request::get(uri.clone(), Sender::Bare, 0);
    match timeout(PATIENCE, over_hyper::network().oneshot(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("cannot reach {uri}: {}", innermost(&error)).into()),
        Err(_) => Err(format!("cannot reach {uri}: no answer within {} s", PATIENCE.as_secs()).into()),
    }
}

fn innermost(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => innermost(source),
        None => error.to_string(),
    }
}
