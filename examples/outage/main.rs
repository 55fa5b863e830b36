//! An outage in ten seconds: a failing server, and the same load from two clients, one of which has a circuit
//! breaker.
//!
//! `cargo run --release --example outage` (`-- --help` for the options)
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the terminal is what a demonstration is for")]

mod answer;
mod clients;
#[cfg(feature = "config")]
mod documented;
mod ledger;
mod lines;
mod live;
mod load;
mod log;
#[cfg(feature = "metrics")]
mod metrics;
mod options;
mod outcome;
mod output;
mod over_hyper;
#[cfg(feature = "reqwest")]
mod over_reqwest;
#[cfg(feature = "tonic")]
mod over_tonic;
mod pace;
mod protection;
mod random;
mod recovery;
mod render;
mod report;
mod request;
mod retry;
mod run;
mod screen;
mod script;
mod seen;
mod sent;
mod server;
mod table;
mod target;
mod timeline;
mod words;
mod workers;

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use clap::Parser;
use tower::BoxError;

use crate::options::Options;
use crate::output::Output;
use crate::report::Report;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    match demonstrate(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        #[cfg(feature = "config")]
        Err(error) if error.is::<halfopen_config::DocumentError>() => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("outage: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn demonstrate(options: &Options) -> Result<(), BoxError> {
    let report = run::run(options).await?;
    show(options, &report)?;
    Ok(())
}

fn show(options: &Options, report: &Report) -> Result<(), BoxError> {
    let text = if options.json {
        serde_json::to_string_pretty(report)? + "\n"
    } else {
        table::text(report, Output::Stdout.palette())
    };
    Ok(Output::Stdout.write(&text)?)
}

/// The reader of our output closed the pipe (`| head`).
fn is_closed_pipe(error: &BoxError) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
