use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use halfopen::adapter::catch_panic;

#[cfg(all(feature = "notify", target_os = "linux"))]
use super::events::Events;
use super::{Change, FileWatch};

/// A file that is being watched on a thread of its own, until this is dropped.
///
/// When the drop is over nothing is told any more, unless it happens inside of what is told: then
/// that is the last.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct Watching {
    /// Nothing is ever sent: that it is gone is the message.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatch {
    /// Watches on a thread of its own, which tells every change.
    ///
    /// With the feature `notify` (on Linux) changes in the file's directory are noticed within the
    /// quiet time; else, and for whatever those do not show, the interval holds. A panic of `tell`
    /// ends that one call and not the watch.
    ///
    /// # Errors
    ///
    /// If no thread can be had.
    pub fn spawn(self, tell: impl FnMut(Change) + Send + 'static) -> io::Result<Watching> {
        let (stop, stopped) = channel();
        let thread =
            thread::Builder::new().name("halfopen-watch".into()).spawn(move || run(self, &stopped, tell))?;
        Ok(Watching { stop: Some(stop), thread: Some(thread) })
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread that owns the time it passes on")]
fn run(mut watch: FileWatch, stopped: &Receiver<()>, mut tell: impl FnMut(Change)) {
    let start = Instant::now();
    let mut nearby = Nearby::of(&watch);
    loop {
        if nearby.stirred() {
            watch.nudge(start.elapsed());
        }
        if let Some(change) = watch.poll(start.elapsed()) {
            // The hook has printed it, and the next change may be one that `tell` can bear.
            let _ = catch_panic(|| tell(change));
        }
        let wait = nearby.patience(watch.due().saturating_sub(start.elapsed()));
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// What is heard from the file's directory, where that can be.
struct Nearby {
    #[cfg(all(feature = "notify", target_os = "linux"))]
    events: Option<Events>,
}

#[cfg(all(feature = "notify", target_os = "linux"))]
impl Nearby {
    fn of(watch: &FileWatch) -> Nearby {
        // Without them (the limit of instances is reached) the interval still holds.
        Nearby { events: Events::near(watch.path()).ok() }
    }

    fn stirred(&mut self) -> bool {
        self.events.as_mut().is_some_and(Events::any)
    }

    /// Events are asked for, not waited for: a thread that waits for them could not be stopped.
    fn patience(&self, wait: Duration) -> Duration {
        if self.events.is_some() { wait.min(FileWatch::QUIET) } else { wait }
    }
}

#[cfg(not(all(feature = "notify", target_os = "linux")))]
impl Nearby {
    fn of(_: &FileWatch) -> Nearby {
        Nearby {}
    }

    fn stirred(&mut self) -> bool {
        false
    }

    fn patience(&self, wait: Duration) -> Duration {
        wait
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // It catches what `tell` throws, so there is no panic to pass on.
            let _ = thread.join();
        }
    }
}
