#[cfg(feature = "metrics")]
use std::net::SocketAddr;
#[cfg(feature = "config")]
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use http::Uri;

use crate::clients::Library;
use crate::protection::Kind;

/// The whole script of sixty seconds in ten.
const DEFAULT_SPEED: f64 = 6.0;

/// The options under which times are taken as they are written.
#[cfg(feature = "config")]
const AS_WRITTEN: [&str; 2] = ["url", "config"];
#[cfg(not(feature = "config"))]
const AS_WRITTEN: [&str; 1] = ["url"];

/// The end of `--help`.
const AFTERWORD: &str = "\
Both clients give an attempt one second (--timeout) and make up to three, with growing pauses between them. The \
breaker lies inside the retry and outside the timeout. It opens when, of the calls of the last 3 s, at least 20, half failed \
or 60 % took half a second or longer; waits 1 s, or longer if the server asks for it; and closes after \
two good probes. With --breaker adaptive it learns when to open and to close instead: only half a second as the limit of a \
slow answer, and 2 s as the longest time between two probes, are set.

The server has four workers for each client, so that the load of one client does not slow down the other, \
and a queue of 64; it finishes the work that it has accepted although the client has given up.

All times shown are script seconds: at the default speed of 6, one takes a sixth of a second.
Ctrl-C ends the run with the table so far. NO_COLOR is honoured; without a terminal the timeline is \
plain lines. The exit status is 2 for bad options or a bad document and 1 for a server that cannot be reached.
More options with features: cargo run --release --example outage --features reqwest,tonic,config,metrics";

/// An outage in ten seconds: what a circuit breaker does for a client, and what it costs.
///
/// Starts a real HTTP server on a loopback port, whose health follows a script: healthy, brown-out
/// (slow answers, 30 % errors), dead (every connection reset), recovering, refusing (503 with
/// Retry-After), hang (takes requests, answers none), recovering, and slowed for four seconds, after which retries
/// can keep it overloaded. Two clients with the same timeout, the same retries and the same seeded load call it over
/// the network; one of them has a circuit breaker. You see a live timeline, each transition of the
/// breaker with its reason, and a table that compares the two.
#[derive(Debug, Parser)]
#[command(
    name = "outage",
    after_help = AFTERWORD
)]
pub(crate) struct Options {
    /// Seed of the load, of the server's luck and of the breaker's jitter: same seed, same outage.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,

    /// How many script seconds pass in one second, 0.5 to 20; the script has 60 [default: 6]
    ///
    /// Timeouts and waits shrink with it: above 10, or on a busy machine, its own delays begin to count.
    #[arg(long, value_name = "FACTOR", value_parser = speed, conflicts_with_all = AS_WRITTEN)]
    speed: Option<f64>,

    /// Requests per script second that the callers of each client make, 1 to 200 (retries come on top).
    #[arg(long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=200))]
    pub(crate) rate: u32,

    /// The HTTP library of both clients; retries, timeouts and load stay the same.
    #[arg(long, value_enum, default_value_t = Library::Hyper, value_name = "LIBRARY")]
    pub(crate) client: Library,

    /// The breaker of the protected client: fixed rules, or an adaptive one that learns them.
    ///
    /// An adaptive breaker learns in seconds of the clock; a low --speed is fairer to it.
    #[cfg_attr(feature = "config", arg(long, value_enum, default_value_t = Kind::Rules, value_name = "KIND", conflicts_with = "config"))]
    #[cfg_attr(not(feature = "config"), arg(long, value_enum, default_value_t = Kind::Rules, value_name = "KIND"))]
    pub(crate) breaker: Kind,

    /// Print one JSON document with the result to stdout, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,

    /// Serve the breaker's /metrics and /circuit-breakers there while it runs, such as 127.0.0.1:9464.
    #[cfg(feature = "metrics")]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics: Option<SocketAddr>,

    /// Take the settings of the breaker `server` from this document (YAML, TOML or JSON).
    ///
    /// Its times are taken as they are written, so the script runs at speed 1, in a minute.
    #[cfg(feature = "config")]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Call a server of your own (http://host:port/path) instead of the one with the script.
    ///
    /// Both clients send it GET requests, at --rate each, for --duration: stop it, start it, slow it
    /// down, and watch.
    #[arg(long, value_name = "URL", value_parser = url)]
    pub(crate) url: Option<Uri>,

    /// With --url: how long to call it, 1 to 3600 seconds [default: 30].
    #[arg(long, value_name = "SECONDS", requires = "url", value_parser = clap::value_parser!(u64).range(1..=3_600))]
    duration: Option<u64>,

    /// With --url: how long a caller waits for one attempt, 0.05 to 60 seconds [default: 1].
    #[arg(long, value_name = "SECONDS", requires = "url", value_parser = timeout)]
    timeout: Option<f64>,
}

impl Options {
    pub(crate) fn speed(&self) -> f64 {
        #[cfg(feature = "config")]
        let documented = self.config.is_some();
        #[cfg(not(feature = "config"))]
        let documented = false;
        let runs_as_written = self.url.is_some() || documented;
        if runs_as_written { 1.0 } else { self.speed.unwrap_or(DEFAULT_SPEED) }
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_secs(self.duration.unwrap_or(30))
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs_f64(self.timeout.unwrap_or(1.0))
    }
}

fn speed(text: &str) -> Result<f64, String> {
    number_in(text, 0.5, 20.0)
}

fn timeout(text: &str) -> Result<f64, String> {
    number_in(text, 0.05, 60.0)
}

fn number_in(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("expected a number from {least} to {most}")),
    }
}

fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("{error}; expected http://host:port/path"))?;
    match url.scheme_str() {
        Some("http") if url.host().is_some_and(|host| !host.is_empty()) => Ok(url),
        Some("https") => Err("the demonstration speaks no TLS; expected http://host:port/path".to_owned()),
        Some(_) | None => Err("expected http://host:port/path".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from(["outage"].iter().chain(arguments))
    }

    #[test]
    fn without_options_the_script_takes_ten_seconds() {
        let options = parse(&[]).unwrap();

        assert_eq!(options.speed(), 6.0);
        assert!(options.url.is_none());
        assert_eq!(options.client, Library::Hyper);
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn the_clients_can_be_made_of_reqwest() {
        assert_eq!(parse(&["--client", "reqwest"]).unwrap().client, Library::Reqwest);
    }

    #[cfg(feature = "tonic")]
    #[test]
    fn the_clients_can_be_made_of_tonic() {
        assert_eq!(parse(&["--client", "tonic"]).unwrap().client, Library::Tonic);
    }

    #[test]
    fn the_breaker_can_be_adaptive() {
        assert_eq!(parse(&["--breaker", "adaptive"]).unwrap().breaker, Kind::Adaptive);
        assert_eq!(parse(&[]).unwrap().breaker, Kind::Rules);
    }

    #[test]
    fn a_server_of_ones_own_is_called_at_its_own_pace() {
        let options = parse(&["--url", "http://127.0.0.1:8000/", "--duration", "5"]).unwrap();

        assert_eq!(options.speed(), 1.0);
        assert_eq!(options.duration(), Duration::from_secs(5));
    }

    #[cfg(feature = "config")]
    #[test]
    fn a_document_runs_at_the_pace_it_is_written_for() {
        assert_eq!(parse(&["--config", "breakers.yaml"]).unwrap().speed(), 1.0);
    }

    #[test]
    fn invalid_options_are_refused() {
        for arguments in [
            &["--speed", "0"][..],
            &["--speed", "NaN"],
            &["--rate", "0"],
            &["--client", "curl"],
            &["--breaker", "clever"],
            &["--metrics", "9464"],
            &["--duration", "5"],
            &["--url", "https://127.0.0.1/"],
            &["--url", "127.0.0.1:8000"],
            &["--url", "http://127.0.0.1:8000/", "--speed", "2"],
            &["--config", "breakers.yaml", "--speed", "2"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
