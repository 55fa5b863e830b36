//! The origin of each value, in readable form.

use halfopen_config::{Format, LiveRegistry, Loader, Overrides};

const DOCUMENT: &str = "
defaults:
  half_open: { max_calls: 4 }
  minimum_calls: 7
templates:
  base: { open: { backoff: { multiplier: 3 } } }
  mine: { extends: base, trip: { slow_call_rate: { threshold: 0.8, slow_after: 1s } } }
environments:
  test: { open: { hint_max: 14s } }
breakers:
  payments: { template: mine, failure_rate_threshold: 0.4, metadata: { tags: [a, b] } }
  listed: { trip: [{ failure_rate: { threshold: 0.3 } }, { failure_rate: { threshold: 0.9, minimum_calls: 2 } }] }
";

fn loader() -> Loader {
    Loader::new().text("t.yaml", Format::Yaml, DOCUMENT)
}

#[test]
fn every_layer_is_named() {
    let variable = ("HALFOPEN_PAYMENTS__WINDOW__LAST_CALLS".to_owned(), "50".to_owned());
    let loader = loader().environment("test").variables([variable]);
    let loaded = loader.set("payments", Overrides::new().set("open.duration", "6s")).load().unwrap();
    assert_eq!(
        loaded.explain("payments").to_string(),
        "\
payments
  enabled                            true       library default
  trip.slow_call_rate.threshold      0.8        templates.mine.trip.slow_call_rate.threshold, t.yaml:7:63
  trip.slow_call_rate.slow_after     1s         templates.mine.trip.slow_call_rate.slow_after, t.yaml:7:80
  trip.slow_call_rate.minimum_calls  7          defaults.minimum_calls, t.yaml:4:18
  trip.failure_rate.threshold        0.4        breakers.payments.failure_rate_threshold, t.yaml:11:55
  trip.failure_rate.minimum_calls    7          defaults.minimum_calls, t.yaml:4:18
  window.last_calls                  50         environment variable HALFOPEN_PAYMENTS__WINDOW__LAST_CALLS
  open.duration                      6s         the program, open.duration
  open.hint_max                      14s        environments.test.open.hint_max, t.yaml:9:29
  open.backoff.multiplier            3          templates.base.open.backoff.multiplier, t.yaml:6:42
  open.backoff.jitter                0.2        library default
  half_open.max_calls                4          defaults.half_open.max_calls, t.yaml:3:27
  half_open.success_threshold        1          library default
  half_open.max_failures             0          library default
  half_open.probe_timeout            1m         library default
  abandoned                          ignore     library default
  time_calls                         false      library default
  template                           mine       breakers.payments.template, t.yaml:11:25
  environment                        test       the program, environment
  metadata.tags                      [\"a\",\"b\"]  breakers.payments.metadata.tags, t.yaml:11:78"
    );
}

#[test]
fn two_rules_of_a_kind_are_told_apart() {
    let explained = loader().load().unwrap().explain("listed");
    let told = |path: &str| {
        let value = explained.get(path).unwrap_or_else(|| panic!("no {path} in {explained}"));
        format!("{} {}", value.value(), value.origin())
    };
    assert_eq!(
        told("trip.0.failure_rate.threshold"),
        "0.3 breakers.listed.trip.0.failure_rate.threshold, t.yaml:12:49"
    );
    assert_eq!(
        told("trip.1.failure_rate.minimum_calls"),
        "2 breakers.listed.trip.1.failure_rate.minimum_calls, t.yaml:12:107"
    );
}

#[test]
fn two_rules_of_a_kind_do_not_differ_from_themselves() {
    let live = LiveRegistry::new(loader()).unwrap();
    let difference = live.apply(Format::Yaml, &format!("{DOCUMENT}\n# the same")).unwrap();
    assert_eq!(difference.to_string(), "nothing changed");
    let difference = live.apply(Format::Yaml, &DOCUMENT.replace("0.9", "0.8")).unwrap();
    assert_eq!(difference.to_string(), "changed `listed`: trip.1.failure_rate.threshold 0.9 -> 0.8");
}
