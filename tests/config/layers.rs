//! Who goes before whom.

use fusebox_config::{Format, Layer, Loader, Partial};

const DOCUMENT: &str = "
defaults: { open: { duration: 1s, hint_max: 11s }, half_open: { max_calls: 1 } }
templates:
  base: { open: { duration: 2s, hint_max: 12s }, half_open: { probe_timeout: 12s } }
  mine: { extends: base, open: { duration: 3s, hint_max: 13s } }
environments:
  test: { open: { duration: 4s, hint_max: 14s } }
breakers:
  payments: { template: mine, open: { duration: 5s } }
  pay*: {}
";

fn loader() -> Loader {
    Loader::new().text("t.yaml", Format::Yaml, DOCUMENT)
}

fn told(loader: &Loader, name: &str, path: &str) -> (String, Layer) {
    let explanation = loader.load().unwrap_or_else(|error| panic!("{error}")).explain(name);
    let value = explanation.get(path).expect("a value of every breaker");
    (value.value().to_owned(), value.origin().layer())
}

fn variable(name: &str, value: &str) -> [(String, String); 1] {
    [(name.to_owned(), value.to_owned())]
}

#[test]
fn each_layer_goes_before_the_one_below() {
    let duration = |loader: &Loader| told(loader, "payments", "open.duration");
    let hint = |loader: &Loader| told(loader, "payments", "open.hint_max");
    let plain = loader();
    assert_eq!(told(&plain, "payments", "half_open.success_threshold"), ("1".into(), Layer::Library));
    assert_eq!(told(&plain, "payroll", "open.duration"), ("1s".into(), Layer::Defaults));
    assert_eq!(told(&plain, "payments", "half_open.probe_timeout"), ("12s".into(), Layer::Template));
    assert_eq!(hint(&plain), ("13s".into(), Layer::Template));
    let tested = plain.environment("test");
    assert_eq!(hint(&tested), ("14s".into(), Layer::Environment));
    assert_eq!(duration(&tested), ("5s".into(), Layer::Breaker));
    let varied = tested.variables(variable("FUSEBOX_PAYMENTS__OPEN__DURATION", "6s"));
    assert_eq!(duration(&varied), ("6s".into(), Layer::Variable));
    let coded = varied.set("payments", Partial::new().set("open.duration", "7s"));
    assert_eq!(duration(&coded), ("7s".into(), Layer::Code));
}

#[test]
fn a_variable_that_names_nobody_is_told_and_not_used() {
    let loaded = loader().variables(variable("FUSEBOX_PAYMENT__OPEN__DURATION", "6s")).load().unwrap();
    assert_eq!(
        loaded.warnings()[0].message(),
        "`FUSEBOX_PAYMENT__OPEN__DURATION` names no breaker of the document: it is not used; did you mean `FUSEBOX_PAYMENTS`?"
    );
}

#[test]
fn a_variable_with_a_bad_value_is_an_error_that_names_it() {
    let error = loader().variables(variable("FUSEBOX_PAYMENTS__OPEN__DURATION", "6")).load().unwrap_err();
    assert_eq!(
        error.problems()[0].to_string(),
        "error: `payments.open.duration` is 6, must be a duration such as 30s, 500ms or 1m30s\n \
         --> environment variable FUSEBOX_PAYMENTS__OPEN__DURATION\n  |\n\
         1 | FUSEBOX_PAYMENTS__OPEN__DURATION=6\n  |                                  ^\n  \
         = 6 has no unit; write `6s` for seconds"
    );
}

#[test]
fn the_environment_may_come_from_a_variable() {
    let loader = loader().variables(variable("FUSEBOX_ENVIRONMENT", "test"));
    assert_eq!(told(&loader, "payments", "open.hint_max"), ("14s".into(), Layer::Environment));
}
