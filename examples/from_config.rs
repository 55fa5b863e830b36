//! A registry from a document: breakers are looked up by name, and a new document changes their settings but
//! not their state.
//!
//! `cargo run --example from_config --features config`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "showing it is what it is for")]

use halfopen_config::{DocumentError, Format, LiveRegistry, Loader};

const DOCUMENT: &str = include_str!("config/breakers.yaml");

fn main() -> Result<(), DocumentError> {
    let loader = Loader::new().text("breakers.yaml", Format::Yaml, DOCUMENT).environment("production");
    let live = LiveRegistry::new(loader.process_variables())?;
    // Values that are valid but probably unintended; `Loader::deny_warnings` makes them errors.
    for warning in live.configuration().warnings() {
        eprintln!("{warning}\n");
    }

    let payments = live.registry().get_or_create("payments");
    println!("{}\n", live.configuration().explain("payments"));

    payments.trip();
    let difference = live.apply(Format::Yaml, &DOCUMENT.replace("conservative", "aggressive"))?;
    println!("{difference}\n");
    println!("{}\n", payments.explain());

    let broken = live.apply(Format::Yaml, "breakers: { payments: { open: { duraton: 5s } } }");
    if let Err(error) = broken {
        println!("{error}");
    }
    Ok(())
}
