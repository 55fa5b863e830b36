//! Observation: events for listeners, snapshots, and explanations in words.
//!
//! A [`Listener`] receives the breaker itself, so this module and the breaker's depend on each other. It is the only
//! cycle between the modules of this crate.

mod channel;
mod display;
mod event;
mod explain;
mod listeners;
mod shadow;
mod signal;
mod snapshot;

pub use channel::Events;
pub use event::{Event, Interest, Listener, StateChange};
pub use listeners::Subscription;
pub use shadow::{ShadowCalls, ShadowSnapshot};
pub use signal::Signal;
pub use snapshot::{Evidence, Probes, Snapshot, TripCause};

pub(crate) use event::{PROBES_PASSED, WAIT_OVER};
pub(crate) use listeners::{Kind, Listeners, Subscriber, Unsubscribe};
