#![cfg_attr(docsrs, feature(doc_cfg))]
//! The effect that settings of a circuit breaker would have had on the calls of a log.
//!
//! A [`Source`] reads access logs of nginx and Envoy, JSON lines, CSV files and spans, and yields their calls in the
//! order of their starts. A [`Replay`] plays them against real breakers of several [`Setting`]s on the time of the log,
//! and its [`Report`] compares them. The module [`simulate`] has services with
//! incidents that feel their load, in front of which settings are scored. The program `halfopen-lab` does all of this from the command line.
//!
//! # Examples
//!
//! ```no_run
//! use halfopen_lab::{By, Keys, Replay, Setting, Source, SourceOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = vec![Setting::from_file("breakers.yaml")?, Setting::preset("adaptive").expect("a preset")];
//! let mut source = Source::open(&["access.log.gz"], Keys::new(By::Upstream), &SourceOptions::default())?;
//! let mut replay = Replay::new(settings, Some(1_000_000_000));
//! while let Some(call) = source.next_call()? {
//!     replay.push(source.keys(), call);
//! }
//! println!("{}", replay.finish());
//! # Ok(()) }
//! ```

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod advise;
mod call;
#[cfg(feature = "html")]
#[cfg_attr(docsrs, doc(cfg(feature = "html")))]
mod html;
mod lines;
mod parse;
mod replay;
mod setting;
pub mod simulate;
mod source;
mod table;

pub use advise::{Choice, candidates, choose, helps};
pub use call::{By, Call, Keys, LoggedCall, LoggedEnd, Nanos};
pub use lines::BytesRead;
pub use parse::{Field, Format, LineError, Options, Parser, Skipped, Unit, parse_offset};
pub use replay::{
    Bucket, Compared, Credit, Detected, Durations, LogReport, Replay, Report, RunBucket, Series,
    SettingReport, UNKNOWN, Worth,
};
pub use setting::Setting;
pub use source::{BrokenLine, LineCounts, ReadError, Source, SourceOptions};
