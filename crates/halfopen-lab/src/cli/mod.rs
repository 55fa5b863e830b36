//! The command line.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use halfopen_config::DocumentError;

mod advise;
mod arguments;
mod progress;
mod replay;
mod simulate;

/// What would each setting of a circuit breaker have done?
#[derive(Parser)]
#[command(name = "halfopen-lab", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Plays access logs or spans against settings and compares them.
    Replay(replay::Replay),
    /// Chooses a setting by the first part of the logs, and judges it by the second.
    Advise(advise::Advise),
    /// Runs simulated services, with and without incidents, and scores settings in front of them.
    Simulate(simulate::Simulate),
}

/// Runs the program. The exit status is 2 for wrong arguments, 1 for input that cannot be read, and otherwise 0.
pub(crate) fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Replay(replay) => replay.run(),
        Command::Advise(advise) => advise.run(),
        Command::Simulate(simulate) => simulate.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has seen enough, as `head` has.
        Err(error) if is_closed_pipe(&*error) => ExitCode::SUCCESS,
        // With a heading for each of its problems.
        Err(error) if error.is::<DocumentError>() => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
        Err(error) => {
            // A closed standard error leaves nothing to write to.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
