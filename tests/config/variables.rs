//! Environment variables, correct and misspelled.

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

/// The warnings about a variable that has no effect.
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
            "`{variable}` is not used: a name and its keys must be separated by two `_`, as in `HALFOPEN_PAYMENTS__OPEN__DURATION`"
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
        "error: `payments.open.duration` is 6, but must be a duration such as 30s, 500ms or 1m30s\n \
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
fn the_environment_may_come_from_a_variable() {
    let explained = with("HALFOPEN_ENVIRONMENT", "test").load().unwrap().explain("payments");
    assert_eq!(explained.get("open.hint_max").unwrap().origin().layer(), Layer::Environment);
    let environment = explained.get("environment").unwrap();
    assert_eq!((environment.value(), environment.origin().layer()), ("test", Layer::Variable));
    assert_eq!(environment.origin().to_string(), "environment variable HALFOPEN_ENVIRONMENT");
}

#[test]
fn an_unknown_environment_of_a_variable_is_shown() {
    assert_eq!(
        first_error("HALFOPEN_ENVIRONMENT", "prod").to_string(),
        "error: `HALFOPEN_ENVIRONMENT` is `prod`, but there is no such environment; did you mean `production`?\n \
         --> environment variable HALFOPEN_ENVIRONMENT\n  |\n\
         1 | HALFOPEN_ENVIRONMENT=prod\n  |                      ^^^^\n  \
         = known here: development, production, staging, test"
    );
}

#[test]
fn an_empty_environment_variable_is_ignored() {
    let loaded = with("HALFOPEN_ENVIRONMENT", "").load().unwrap();
    assert_eq!(loaded.settings("payments").environment(), None);
}

/// The waits of all breakers of a document with this variable.
fn waits(document: &str, variable: &str) -> Result<Vec<(String, u64)>, Problem> {
    let loader = Loader::new().text("t.yaml", Format::Yaml, document);
    let loaded = loader.variables([(variable.to_owned(), "77s".to_owned())]).load();
    let loaded = loaded.map_err(|error| error.problems()[0].clone())?;
    let wait = |name: &str| loaded.settings(name).config().open_duration().as_secs();
    Ok(loaded.all().map(|settings| (settings.name().to_owned(), wait(settings.name()))).collect())
}

#[test]
fn every_name_has_a_variable_of_its_own() {
    let document = "breakers: { db: {}, 'db-*': {}, '*': {}, a-b: {}, a_b: {}, 'a__b': {}, A-B: {}, '-': {}, 'h:80': {}, 'ü': {} }";
    for (name, variable) in [
        ("db", "HALFOPEN__db__OPEN__DURATION"),
        ("db-*", "HALFOPEN__db_2D_2A__OPEN__DURATION"),
        ("*", "HALFOPEN___2A__OPEN__DURATION"),
        ("a-b", "HALFOPEN__a_2Db__OPEN__DURATION"),
        ("a_b", "HALFOPEN__a_5Fb__OPEN__DURATION"),
        ("a__b", "HALFOPEN__a_5F_5Fb__OPEN__DURATION"),
        ("A-B", "HALFOPEN__A_2DB__OPEN__DURATION"),
        ("A-B", "HALFOPEN_A-B__OPEN__DURATION"),
        ("-", "HALFOPEN___2D__OPEN__DURATION"),
        ("h:80", "HALFOPEN_H_80__OPEN__DURATION"),
        ("ü", "HALFOPEN___C3_BC__OPEN__DURATION"),
    ] {
        let waits = waits(document, variable).unwrap_or_else(|problem| panic!("{problem}"));
        let set: Vec<_> = waits.iter().filter(|(_, wait)| *wait == 77).map(|(name, _)| &**name).collect();
        assert_eq!(set, [name], "{variable}");
    }
}

#[test]
fn an_ambiguous_variable_shows_what_to_write() {
    let problem = waits("breakers: { a-b: {}, a_b: {} }", "HALFOPEN_A_B__OPEN__DURATION").unwrap_err();
    assert_eq!(problem.message(), "`HALFOPEN_A_B__OPEN__DURATION` may mean `a-b` or `a_b`: it is not used");
    assert_eq!(
        problem.advice(),
        Some("write `HALFOPEN__a_2Db__` or `HALFOPEN__a_5Fb__`, which mean one name each")
    );
}

#[test]
fn a_variable_sets_a_default() {
    let document = "
defaults: { open: { duration: 5s, hint_max: 90s } }
templates: { slow: { open: { duration: 6s } } }
breakers: { plain: {}, made: { template: slow }, own: { open: { duration: 7s } } }
";
    let variable = "HALFOPEN_DEFAULTS__OPEN__DURATION";
    let expected = [("made", 6), ("own", 7), ("plain", 77)];
    assert_eq!(waits(document, variable), Ok(expected.map(|(name, wait)| (name.to_owned(), wait)).to_vec()));

    let loader = Loader::new().text("t.yaml", Format::Yaml, document);
    let loaded = loader.variables([(variable.to_owned(), "77s".to_owned())]).load().unwrap();
    assert_eq!(loaded.defaults().config().open_duration().as_secs(), 77);
    let explained = loaded.explain("plain");
    let wait = explained.get("open.duration").unwrap().origin();
    assert_eq!(
        (wait.layer(), &*wait.to_string()),
        (Layer::Defaults, "environment variable HALFOPEN_DEFAULTS__OPEN__DURATION")
    );
}

#[test]
fn a_variable_chooses_the_default_template() {
    let document = "breakers: { plain: {}, own: { template: aggressive } }";
    let loader = Loader::new().text("t.yaml", Format::Yaml, document);
    let variable = ("HALFOPEN_DEFAULTS__TEMPLATE".to_owned(), "database".to_owned());
    let loaded = loader.variables([variable]).load().unwrap();
    assert_eq!(loaded.settings("plain").template(), Some("database"));
    assert_eq!(loaded.settings("own").template(), Some("aggressive"));
}

#[test]
fn a_breaker_called_defaults_is_not_taken_for_them() {
    let document = "breakers: { defaults: {}, other: {} }";
    let problem = waits(document, "HALFOPEN_DEFAULTS__OPEN__DURATION").unwrap_err();
    assert!(problem.message().contains("may mean the defaults or the breaker `defaults`"), "{problem}");
    assert_eq!(problem.advice(), Some("for the breaker write `HALFOPEN__defaults__`"));
    let waits = waits(document, "HALFOPEN__defaults__OPEN__DURATION").unwrap();
    assert_eq!(waits, [("defaults".to_owned(), 77), ("other".to_owned(), 2)]);
}
