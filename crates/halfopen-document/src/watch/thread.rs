use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use halfopen::adapter::catch_panic;

use super::{Change, FileWatch};

/// The handle of a thread that watches a file; dropping it stops the thread.
///
/// After the drop no change is reported. A drop inside the callback returns immediately, and that call of the
/// callback is the last.
#[derive(Debug)]
#[must_use = "dropping it ends the watch"]
pub struct WatchHandle {
    // Nothing is ever sent: the receiver is disconnected when this is dropped.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FileWatch {
    /// Polls the file on a thread of its own and calls `on_change` with every change.
    ///
    /// A panic of `on_change` ends that call, not the watch.
    ///
    /// # Errors
    ///
    /// If the thread cannot be started.
    pub fn spawn(self, on_change: impl FnMut(Change) + Send + 'static) -> io::Result<WatchHandle> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new()
            .name("halfopen-watch".into())
            .spawn(move || run(self, &stopped, on_change))?;
        Ok(WatchHandle { stop: Some(stop), thread: Some(thread) })
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread that owns the time it passes on")]
fn run(mut watch: FileWatch, stopped: &Receiver<()>, mut on_change: impl FnMut(Change)) {
    let start = Instant::now();
    loop {
        if let Some(change) = watch.poll(start.elapsed()) {
            // The panic hook has printed the message, and the next change may not panic.
            let _ = catch_panic(|| on_change(change));
        }
        let wait = watch.due().saturating_sub(start.elapsed());
        match stopped.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        self.stop = None;
        // A thread that joined itself would wait for ever.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // The thread catches the panics of the callback, so that there is none to resume.
            let _ = thread.join();
        }
    }
}
