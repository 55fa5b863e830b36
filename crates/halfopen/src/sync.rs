//! Atomics and locks: those of the standard library, or loom's for the models.

use std::sync::TryLockError;

#[cfg(not(loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

#[cfg(loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

/// Locks a mutex, and ignores poisoning.
///
/// No user code runs under the locks of this crate, so the data that they guard is consistent even if a thread
/// panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Like [`lock`], or returns [`None`] if the mutex is locked.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// A value that is replaced as a whole while others read it.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct Shared<T>(arc_swap::ArcSwap<T>);

#[cfg(not(loom))]
impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(arc_swap::ArcSwap::from_pointee(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = std::sync::Arc<T>> + use<T> {
        self.0.load()
    }

    pub(crate) fn store(&self, value: std::sync::Arc<T>) {
        self.0.store(value);
    }
}

/// The same for the models: loom does not model `arc_swap`, so a lock takes its place.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct Shared<T>(Mutex<std::sync::Arc<T>>);

#[cfg(loom)]
impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Shared<T> {
        Shared(Mutex::new(std::sync::Arc::new(value)))
    }

    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = std::sync::Arc<T>> + use<T> {
        Box::new(std::sync::Arc::clone(&lock(&self.0)))
    }

    pub(crate) fn store(&self, value: std::sync::Arc<T>) {
        *lock(&self.0) = value;
    }
}

/// A fence for the models only: loom treats a sequentially consistent access as acquire and release.
#[inline(always)]
pub(crate) fn model_fence() {
    #[cfg(loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// Returns a small number of this thread's own, or zero while the thread is being torn down.
#[cfg(not(loom))]
#[inline]
pub(crate) fn thread_index() -> usize {
    use std::sync::atomic::AtomicUsize;

    static NEXT: AtomicUsize = AtomicUsize::new(0);

    thread_local! {
        static INDEX: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }

    INDEX.try_with(|&index| index).unwrap_or(0)
}
