/// Implemented by no type: a bound by which the compiler names the feature that `wait_while_open` requires.
#[diagnostic::on_unimplemented(
    message = "`wait_while_open` requires the feature `tokio` of `halfopen-tower`",
    label = "requires the feature `tokio`",
    note = "run `cargo add halfopen-tower --features tokio`"
)]
#[allow(unnameable_types, reason = "no type implements it")]
pub trait RequiresFeatureTokio {}
