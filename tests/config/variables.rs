//! Environment variables, as people write them and miswrite them.

use halfopen_config::{Format, Layer, Loader, Problem};

const DOCUMENT: &str = "
environments:
  test: { open: { hint_max: 14s } }
breakers:
  payments: { open: { duration: 5s } }
  pay*: {}
";

fn with(name: &str, value: &str) -> Loader {
    Loader::new().text("t.yaml", Format::Yaml, DOCUMENT).variables([(name.to_owned(), value.to_owned())])
}

/// What is told of a variable that does no harm.
fn warnings(name: &str) -> Vec<String> {
    let loaded = with(name, "6s").load().unwrap_or_else(|error| panic!("{error}"));
    loaded.warnings().iter().map(|problem| problem.message().to_owned()).collect()
}

fn first_error(name: &str, value: &str) -> Problem {
    with(name, value).load().expect_err("a wrong value").problems()[0].clone()
}

#[test]
fn a_variable_that_names_nobody_is_told_and_not_used() {
    assert_eq!(
        warnings("HALFOPEN_PAYMENT__OPEN__DURATION"),
        [
            "`HALFOPEN_PAYMENT__OPEN__DURATION` names no breaker of the document: it is not used; did you mean `HALFOPEN_PAYMENTS__`?"
        ]
    );
}

#[test]
fn one_underline_too_few_is_told() {
    let expected = |variable: &str| {
        format!(
            "`{variable}` is not used: two `_` stand between a name and each key, as in `HALFOPEN_PAYMENTS__OPEN__DURATION`"
        )
    };
    for variable in ["HALFOPEN_PAYMENTS_OPEN_DURATION", "HALFOPEN_PAYMENTS_ENABLED"] {
        assert_eq!(warnings(variable), [expected(variable)]);
    }
    assert_eq!(
        warnings("HALFOPEN_PAYMENTS_OPEN__DURATION"),
        [
            "`HALFOPEN_PAYMENTS_OPEN__DURATION` names no breaker of the document: it is not used; did you mean `HALFOPEN_PAYMENTS__`?"
        ]
    );
}

#[test]
fn a_slip_in_the_variable_of_the_environment_is_told() {
    assert_eq!(
        warnings("HALFOPEN_ENVIROMENT"),
        ["`HALFOPEN_ENVIROMENT` is not used; did you mean `HALFOPEN_ENVIRONMENT`?"]
    );
}

#[test]
fn what_belongs_to_somebody_else_is_left_alone() {
    for variable in ["HALFOPEN_PAYMENTS_URL", "HALFOPEN_HOME", "PAYMENTS__OPEN__DURATION"] {
        assert!(warnings(variable).is_empty(), "{variable}");
    }
}

#[test]
fn a_bad_value_is_an_error_that_shows_the_variable() {
    assert_eq!(
        first_error("HALFOPEN_PAYMENTS__OPEN__DURATION", "6").to_string(),
        "error: `payments.open.duration` is 6, must be a duration such as 30s, 500ms or 1m30s\n \
         --> environment variable HALFOPEN_PAYMENTS__OPEN__DURATION\n  |\n\
         1 | HALFOPEN_PAYMENTS__OPEN__DURATION=6\n  |                                   ^\n  \
         = 6 has no unit; write `6s` for seconds"
    );
}

#[test]
fn a_slip_in_a_key_is_shown_where_it_is() {
    assert_eq!(
        first_error("HALFOPEN_PAYMENTS__OPEN__DURATON", "6s").to_string(),
        "error: `payments.open` has no key `duraton`; did you mean `duration`?\n \
         --> environment variable HALFOPEN_PAYMENTS__OPEN__DURATON\n  |\n\
         1 | HALFOPEN_PAYMENTS__OPEN__DURATON=6s\n  |                          ^^^^^^^\n  \
         = known here: duration, hint_max, backoff"
    );
}

#[test]
fn the_environment_may_come_from_a_variable_and_says_so() {
    let explained = with("HALFOPEN_ENVIRONMENT", "test").load().unwrap().explain("payments");
    assert_eq!(explained.get("open.hint_max").unwrap().origin().layer(), Layer::Environment);
    let environment = explained.get("environment").unwrap();
    assert_eq!((environment.value(), environment.origin().layer()), ("test", Layer::Variable));
    assert_eq!(environment.origin().to_string(), "environment variable HALFOPEN_ENVIRONMENT");
}

#[test]
fn an_environment_that_is_not_there_is_shown_in_the_variable() {
    assert_eq!(
        first_error("HALFOPEN_ENVIRONMENT", "prod").to_string(),
        "error: `HALFOPEN_ENVIRONMENT` is `prod`, but there is no such environment; did you mean `production`?\n \
         --> environment variable HALFOPEN_ENVIRONMENT\n  |\n\
         1 | HALFOPEN_ENVIRONMENT=prod\n  |                      ^^^^\n  \
         = known here: development, production, staging, test"
    );
}

#[test]
fn a_variable_of_the_environment_that_is_empty_says_nothing() {
    let loaded = with("HALFOPEN_ENVIRONMENT", "").load().unwrap();
    assert_eq!(loaded.settings("payments").environment(), None);
}
