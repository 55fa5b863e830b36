//! The messages about a document are bounded and contain no terminal control characters, whatever the document.

use std::fmt::Write;

use halfopen_config::{DocumentError, Format, LiveRegistry, Loader, Overrides, lint};

/// The size of the messages: far below this, and the same for documents of every size.
const LONGEST_TEXT: usize = 100_000;

fn error(format: Format, text: &str) -> DocumentError {
    Loader::new().text("t", format, text).load().expect_err("a wrong document")
}

fn unknown_keys(count: usize, between: &str) -> String {
    let keys: Vec<_> = (0..count).map(|n| format!("\"key{n}\":1")).collect();
    format!("{{{}}}", keys.join(between))
}

fn longest_line(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn a_wrong_minified_document_prints_little() {
    for count in [1_000, 16_000] {
        let error = error(Format::Json, &unknown_keys(count, ","));
        assert_eq!(error.problems().len(), count);
        let text = error.to_string();
        assert!(text.len() < LONGEST_TEXT, "{count} keys: {} bytes", text.len());
        assert!(longest_line(&text) < 200, "{count} keys: a line of {}", longest_line(&text));
        let one = error.problems()[count / 2].to_string();
        assert!(one.len() < 1_000, "{one}");
        assert!(one.contains("^^^^") && one.contains(&format!("\"key{}\"", count / 2)), "{one}");
    }
}

#[test]
fn the_first_hundred_problems_are_shown() {
    let text = error(Format::Json, &unknown_keys(16_000, ",\n")).to_string();
    assert_eq!(text.matches("error: ").count(), 100);
    assert!(text.ends_with("\n\nand 15,900 more\n\n16000 errors"), "{}", &text[text.len() - 60..]);
}

#[test]
fn an_error_is_shown_behind_many_warnings() {
    let mut text = String::from("breakers:\n");
    for n in 0..200 {
        writeln!(text, "  b{n}: {{ trip: [] }}").unwrap();
    }
    text.push_str("  last: { open: { duration: 30 } }\n");
    let error = error(Format::Yaml, &text);
    let shown = error.to_string();
    assert_eq!(shown.matches("warning: ").count(), 99);
    assert!(shown.contains("error: `breakers.last.open.duration` is 30"), "{shown}");
    assert!(shown.ends_with("and 101 more\n\n1 error, 200 warnings"), "{}", &shown[shown.len() - 60..]);
}

#[test]
fn long_names_keys_and_values_are_cut() {
    let long = "x".repeat(400_000);
    let wrong = [
        format!("{{\"{long}\": 1}}"),
        format!("{{\"breakers\": {{\"{long}\": {{}}}}}}"),
        format!("{{\"breakers\": {{\"a\": {{\"{long}\": 1, \"{long}\": 2}}}}}}"),
        format!("{{\"breakers\": {{\"a\": {{\"template\": \"{long}\"}}}}}}"),
        format!("{{\"breakers\": {{\"a\": {{\"open\": {{\"duration\": \"{long}\"}}}}}}}}"),
        format!("{{\"breakers\": {{\"a\": {{\"classify\": {{\"grpc\": {{\"failures\": \"{long}\"}}}}}}}}}}"),
    ];
    for text in wrong {
        for problem in error(Format::Json, &text).problems() {
            assert!(
                problem.to_string().len() < 4_000,
                "{} bytes: {}",
                problem.to_string().len(),
                &text[..60]
            );
        }
    }
}

#[test]
fn a_name_that_steers_a_terminal_is_refused() {
    for name in ["a\\u001b[31m", "a\\nb", "\\u0085a", "a\\u202eb", "a\\u2028b", "\\u2066a", "a\\u0000"] {
        for place in ["breakers", "templates", "environments"] {
            let error = error(Format::Json, &format!("{{\"{place}\": {{\"{name}\": {{}}}}}}"));
            let message = error.problems()[0].message();
            assert!(message.contains("must be a name without control"), "{name}: {message}");
        }
    }
    let readable = "{\"breakers\": {\"größe\": {}, \"two words\": {}, \"میخواهم\\u200cها\": {}}}";
    assert!(lint("t", Format::Json, readable).is_empty());
}

#[test]
fn nothing_that_is_printed_steers_a_terminal() {
    let steering = "\\u001b]0;x\\u0007\\u202e\\n";
    let documents = [
        format!("{{\"{steering}\": 1}}"),
        format!("{{\"breakers\": {{\"a{steering}\": {{\"{steering}\": 1}}}}}}"),
        format!(
            "{{\"breakers\": {{\"a\": {{\"{steering}\": 1, \"open\": {{\"{steering}\": 1, \"{steering}\": 2}}}}}}}}"
        ),
        format!(
            "{{\"breakers\": {{\"a\": {{\"template\": \"{steering}\", \"environment\": \"{steering}\"}}}}}}"
        ),
        format!(
            "{{\"breakers\": {{\"a\": {{\"open\": {{\"duration\": \"3{steering}\"}}, \"enabled\": \"{steering}\"}}}}}}"
        ),
        format!("{{\"templates\": {{\"t\": {{\"extends\": \"{steering}\"}}}}}}"),
        format!(
            "{{\"breakers\": {{\"a\": {{\"metadata\": {{\"tagz{steering}\": 1, \"template\": \"{steering}\"}}}}}}}}"
        ),
    ];
    let raw = |text: &str| {
        text.chars().find(|c| (c.is_control() && *c != '\n') || ('\u{202a}'..='\u{202e}').contains(c))
    };
    for text in documents {
        let loader = Loader::new().text("t\u{1b}[31m", Format::Json, text.as_str());
        let problems =
            loader.load().map_or_else(|error| error.problems().to_vec(), |loaded| loaded.warnings().to_vec());
        assert!(!problems.is_empty(), "{text}");
        for problem in problems {
            assert_eq!(raw(&problem.to_string()), None, "{problem:?}");
            assert_eq!(raw(problem.message()), None, "{problem:?}");
            assert_eq!(raw(problem.path()), None, "{problem:?}");
            assert!(!problem.message().contains('\n'), "{problem:?}");
        }
    }
    let steering = "1s\n\u{1b}[31m".to_owned();
    let loader = Loader::new().text("t", Format::Yaml, "breakers: { a: {} }");
    let error = loader.variables([("HALFOPEN_A__OPEN__DURATION\u{1b}".into(), steering)]).load().unwrap_err();
    assert_eq!(raw(&error.to_string()), None, "{error}");
}

#[test]
fn a_document_error_is_debugged_as_it_is_displayed() {
    let error = error(Format::Yaml, "breakers: { a: { open: { duration: 30 } } }");
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[test]
fn keys_nest_as_deep_as_in_a_document() {
    let loader = || Loader::new().text("t", Format::Yaml, "breakers: { payments: {} }");
    let deep = |between: &str| vec!["a"; 20_000].join(between);
    let message = "nests more than 32 levels of keys";

    let set = loader().set("payments", Overrides::new().set(deep("."), 1)).load().unwrap_err();
    assert!(set.to_string().contains(message), "{set}");

    let updated = LiveRegistry::new(loader()).unwrap().update("payments", Overrides::new().set(deep("."), 1));
    assert!(updated.unwrap_err().to_string().contains(message));

    for name in ["PAYMENTS", "DEFAULTS"] {
        let variable = (format!("HALFOPEN_{name}__{}", deep("__")), "1".to_owned());
        let error = loader().variables([variable]).load().unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
