//! The seam for adapters and generic code: the traits and the type parameters of the layers.
//!
//! A user of a layer needs none of this. The methods of [`CircuitBreakerLayer`](crate::CircuitBreakerLayer)
//! choose the type parameters, and the aliases at the root of the crate name the services that result. An
//! adapter for another protocol implements [`Key`] to name the breaker of a request, and [`OnReject`] to answer
//! a rejected one in the form of its protocol.
//!
//! | parameter | trait | types |
//! |---|---|---|
//! | `B`, the breaker of a call | [`Admission`] | [`Single`], [`Keyed`], `Waiting` (feature `tokio`) |
//! | `C`, the outcome of a call | [`RecordOutcome`] | [`DefaultClassify`], [`Custom`] |
//! | `M`, the error and the answer to a rejection | [`OnReject`] | [`Boxed`], [`Typed`], [`OnRejected`] |

pub use crate::admission::{Admission, Readiness, Single};
pub use crate::classify::{Custom, DefaultClassify, RecordOutcome};
pub use crate::keyed::{Key, Keyed};
pub use crate::on_reject::{Boxed, OnReject, OnRejected, Typed};
#[cfg(feature = "tokio")]
pub use crate::wait::Waiting;
