//! The floors of the architecture hold: a crate uses only crates of lower floors, and a module of the core only
//! modules below it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The floor of every package of the workspace, and of those whose place is already drawn.
/// Dev-dependencies count as well: a test that reaches upwards is a circle like any other.
const FLOORS: [(i8, &[&str]); 8] = [
    (-1, &["halfopen-macros"]),
    (0, &["halfopen"]),
    (1, &["halfopen-document", "halfopen-http", "halfopen-metrics", "halfopen-tracing", "halfopen-limit"]),
    (2, &["halfopen-tower", "halfopen-config", "halfopen-opentelemetry", "halfopen-outbox"]),
    (
        3,
        &[
            "halfopen-axum",
            "halfopen-health",
            "halfopen-lapin",
            "halfopen-mcp",
            "halfopen-nats",
            "halfopen-rdkafka",
            "halfopen-redis",
            "halfopen-reqwest",
            "halfopen-sqlx",
            "halfopen-tonic",
        ],
    ),
    (4, &["halfopen-lab", "halfopen-monitor"]),
    (5, &["test-support", "simulator"]),
    (6, &["examples", "tests", "tests-kafka", "tests-macros", "benches"]),
];

#[test]
fn no_crate_uses_one_on_its_own_floor_or_above() {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let mut wrong = Vec::new();
    for package in packages {
        let name = name_of(package);
        let Some(floor) = floor_of(name) else {
            wrong.push(format!("{name} has no floor: give it one in tests/architecture.rs"));
            continue;
        };
        let used = package["dependencies"].as_array().expect("a list of dependencies");
        for used in used.iter().filter(|used| is_ours(used, packages)) {
            let used = name_of(used);
            if floor_of(used).is_some_and(|below| below >= floor) {
                wrong.push(format!("{name} (floor {floor}) uses {used} (floor {})", floor_of(used).unwrap()));
            }
        }
    }
    assert!(wrong.is_empty(), "the floors do not hold:\n  {}", wrong.join("\n  "));
    assert!(packages.len() >= 6, "only {} packages were looked at", packages.len());
}

fn is_ours(dependency: &Value, packages: &[Value]) -> bool {
    !dependency["path"].is_null() || packages.iter().any(|package| package["name"] == dependency["name"])
}

fn floor_of(name: &str) -> Option<i8> {
    FLOORS.iter().find(|(_, names)| names.contains(&name)).map(|(floor, _)| *floor)
}

fn name_of(value: &Value) -> &str {
    value["name"].as_str().expect("a name")
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// The modules of the core by floor, from the bottom. Within a floor a module may use those before it.
const ROOMS: [(u8, &[&str]); 8] = [
    (
        0,
        &[
            "sync",
            "panics",
            "text",
            "passwords",
            "serde_seconds",
            "outcome",
            "word",
            "counts",
            "reason",
            "stripes",
            "random",
        ],
    ),
    (1, &["clock", "report", "rejections", "totals", "error", "classify", "config"]),
    (2, &["policy", "window", "evidence"]),
    (3, &["state"]),
    (4, &["observe"]),
    (5, &["breaker"]),
    (6, &["call", "registry", "collect", "gate"]),
    (7, &["adapter", "guide"]),
];

/// The one circle: a listener is given the breaker itself (`Listener::on_event(&CircuitBreaker, ..)`).
const CIRCLE: (&str, &str) = ("observe", "breaker");

#[test]
fn no_module_of_the_core_uses_one_above() {
    let modules: Vec<&str> = ROOMS.iter().flat_map(|(_, names)| *names).copied().collect();
    let mut wrong = Vec::new();
    let mut arrows = std::collections::BTreeSet::new();
    for path in sources(&core().join("src")) {
        let room = room_of(&path);
        if room == "lib" || room == "loom_tests" {
            continue;
        }
        let Some(place) = modules.iter().position(|module| *module == room) else {
            wrong.push(format!("{room} has no floor: give it one in tests/architecture.rs"));
            continue;
        };
        for used in used_by(&path).filter(|used| *used != room) {
            match modules.iter().position(|module| *module == used) {
                // A name that is used by `crate::Name`, through the front door: its module is not known.
                None => {
                    wrong.push(format!("{} uses `crate::{used}`: import it from its module", path.display()));
                }
                Some(below) if below < place => {}
                Some(_) if (room.as_str(), used.as_str()) == CIRCLE => {}
                Some(_) => wrong.push(format!("{} uses {used}, which is above {room}", path.display())),
            }
            arrows.insert((room.clone(), used));
        }
    }
    assert!(wrong.is_empty(), "the floors of the core do not hold:\n  {}", wrong.join("\n  "));
    assert!(arrows.len() >= 40, "only {} arrows were found", arrows.len());
    assert!(
        arrows.contains(&(CIRCLE.0.into(), CIRCLE.1.into())),
        "the circle is gone: take it out of this test"
    );
}

fn core() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/halfopen")
}

/// The sources below a folder, tests left out.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if name.ends_with(".rs") && !name.contains("tests") && name != "edges.rs" {
            found.push(path);
        }
    }
    found
}

/// The module directly below the root that a file belongs to.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix(core().join("src")).expect("a source of the core");
    let first = inside.components().next().expect("a name").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// The modules, or names of the root, that a file's code uses as `crate::NAME`.
fn used_by(path: &Path) -> impl Iterator<Item = String> {
    let text = std::fs::read_to_string(path).expect("a source");
    let product = ["\n#[cfg(all(test", "\n#[cfg(test)]\nmod "]
        .iter()
        .filter_map(|tests| text.find(tests))
        .min()
        .map_or(&*text, |end| &text[..end]);
    let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
    let names: Vec<String> = code
        .flat_map(|line| {
            let uses = line.match_indices("crate::").filter(|(at, _)| !line[..*at].ends_with('$'));
            uses.map(|(at, _)| word(&line[at + "crate::".len()..])).collect::<Vec<_>>()
        })
        .collect();
    names.into_iter()
}

fn word(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}
