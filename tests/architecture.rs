//! The floors of the architecture hold: a crate uses only crates of lower floors.

use std::process::Command;

use serde_json::Value;

/// The floor of every package of the workspace, and of those whose place is already drawn.
/// Dev-dependencies count as well: a test that reaches upwards is a circle like any other.
const FLOORS: [(u8, &[&str]); 6] = [
    (0, &["halfopen"]),
    (
        1,
        &[
            "halfopen-http",
            "halfopen-metrics",
            "halfopen-tracing",
            "halfopen-opentelemetry",
            "halfopen-limit",
            "halfopen-macros",
        ],
    ),
    (2, &["halfopen-tower", "halfopen-config", "halfopen-health"]),
    (3, &["halfopen-axum", "halfopen-reqwest", "halfopen-tonic"]),
    (4, &["halfopen-monitor"]),
    (5, &["examples", "tests", "benches"]),
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

fn floor_of(name: &str) -> Option<u8> {
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
