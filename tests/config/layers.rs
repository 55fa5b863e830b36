//! The precedence of the layers.

use halfopen_config::{Format, Layer, Loader, Overrides};

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
    assert_eq!(duration(&tested), ("5s".into(), Layer::Entry));
    let varied = tested.variables(variable("HALFOPEN_PAYMENTS__OPEN__DURATION", "6s"));
    assert_eq!(duration(&varied), ("6s".into(), Layer::Variable));
    let coded = varied.set("payments", Overrides::new().set("open.duration", "7s"));
    assert_eq!(duration(&coded), ("7s".into(), Layer::Code));
}
