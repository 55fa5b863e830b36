//! The connection of a publisher, and its channel in confirm mode.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::{NoConfirm, PublishError};

/// The number of unconfirmed publishes without a waiting caller after which a channel is replaced. The client keeps a
/// promise of each for as long as its channel exists.
const FORGOTTEN: u32 = 1_000;

type Connecting = Pin<Box<dyn Future<Output = lapin::Result<Connection>> + Send>>;

/// A place for a connection, opened when it is needed. Shared by all clones of a publisher.
pub(crate) struct Link {
    connect: Box<dyn Fn() -> Connecting + Send + Sync>,
    current: ArcSwapOption<Opened>,
    /// The number of tries to open that have ended.
    tries: AtomicU64,
    /// Held by the call that opens a connection or channel, while others wait. Has the error of the last try.
    opening: Mutex<Option<lapin::Error>>,
}

/// A channel in confirm mode.
pub(crate) struct Opened {
    connection: Arc<Connection>,
    pub(crate) channel: Channel,
    /// Whether a confirm has not come in time.
    silent: AtomicBool,
    forgotten: AtomicU32,
}

impl Link {
    pub(crate) fn new<F>(connect: impl Fn() -> F + Send + Sync + 'static) -> Link
    where
        F: Future<Output = lapin::Result<Connection>> + Send + 'static,
    {
        let connect = Box::new(move || -> Connecting { Box::pin(connect()) });
        let (current, tries, opening) = (ArcSwapOption::empty(), AtomicU64::new(0), Mutex::new(None));
        Link { connect, current, tries, opening }
    }

    /// Returns the open channel, or opens one. If `renew` is true, a connection on which a confirm has not come is replaced.
    pub(crate) async fn open(&self, renew: bool, limit: Duration) -> Result<Arc<Opened>, PublishError> {
        if let Some(opened) = self.usable(renew) {
            return Ok(opened);
        }
        let no_connection = |_| Err(PublishError::TimedOut(NoConfirm { limit, connecting: true }));
        timeout(limit, self.open_slow(renew)).await.unwrap_or_else(no_connection)
    }

    /// Returns a connection that works, opened if necessary, for a channel of its own.
    pub(crate) async fn connection(
        &self,
        renew: bool,
        limit: Duration,
    ) -> Result<Arc<Connection>, PublishError> {
        self.open(renew, limit).await.map(|opened| Arc::clone(&opened.connection))
    }

    fn usable(&self, renew: bool) -> Option<Arc<Opened>> {
        self.current.load_full().filter(|opened| opened.is_usable() && !(renew && opened.is_silent()))
    }

    #[cold]
    async fn open_slow(&self, renew: bool) -> Result<Arc<Opened>, PublishError> {
        let tries = self.tries.load(Ordering::Acquire);
        let mut last = self.opening.lock().await;
        // Opened by another call while this one has waited.
        if let Some(opened) = self.usable(renew) {
            return Ok(opened);
        }
        // Or tried: calls that wait together connect once, and fail together.
        if let Some(error) = last.as_ref().filter(|_| self.tries.load(Ordering::Acquire) != tries) {
            return Err(PublishError::Client(error.clone()));
        }
        let result = self.open_once(renew).await;
        *last = result.as_ref().err().cloned();
        self.tries.fetch_add(1, Ordering::Release);
        Ok(result?)
    }

    async fn open_once(&self, renew: bool) -> lapin::Result<Arc<Opened>> {
        let connected = self
            .current
            .load_full()
            .filter(|opened| opened.connection.status().connected() && !(renew && opened.is_silent()))
            .map(|opened| Arc::clone(&opened.connection));
        let connection = match connected {
            Some(connection) => connection,
            None => Arc::new((self.connect)().await?),
        };
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (silent, forgotten) = (AtomicBool::new(false), AtomicU32::new(0));
        let opened = Arc::new(Opened { connection, channel, silent, forgotten });
        self.current.store(Some(Arc::clone(&opened)));
        Ok(opened)
    }
}

impl Opened {
    fn is_usable(&self) -> bool {
        self.channel.status().connected() && self.forgotten.load(Ordering::Relaxed) < FORGOTTEN
    }

    fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Notes that a confirm has not come in time.
    pub(crate) fn timed_out(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    /// Notes that a confirm has come: the connection works.
    pub(crate) fn answered(&self) {
        // Read first: the line of memory is shared by all publishes.
        if self.is_silent() {
            self.silent.store(false, Ordering::Relaxed);
        }
    }

    /// Notes that the client keeps a promise for which there is no caller.
    pub(crate) fn forgot(&self) {
        self.forgotten.fetch_add(1, Ordering::Relaxed);
    }
}
