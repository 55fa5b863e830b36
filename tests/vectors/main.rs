//! Runs every scenario vector of this folder through the public API; `README.md` describes the format.

mod config;
mod run;
mod vector;

use vector::Vector;

const FILES: [(&str, &str, usize); 5] = [
    ("failsafe-go.json", include_str!("failsafe-go.json"), 49),
    ("failsafe-rs.json", include_str!("failsafe-rs.json"), 21),
    ("finagle.json", include_str!("finagle.json"), 22),
    ("linkerd2-proxy.json", include_str!("linkerd2-proxy.json"), 35),
    ("tower-resilience.json", include_str!("tower-resilience.json"), 77),
];

#[test]
fn every_scenario_vector_holds() {
    let mut ran = 0;
    let mut failures = Vec::new();
    for (file, text, count) in FILES {
        let vectors: Vec<Vector> =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(vectors.len(), count, "vectors in {file}");
        for vector in &vectors {
            ran += 1;
            if let Err(why) = run::run(vector) {
                failures.push(format!("{file}: {}: {why}", vector.id));
            }
        }
    }
    assert_eq!(ran, 204, "no vector is skipped");
    assert!(failures.is_empty(), "{} of {ran} vectors fail:\n  {}", failures.len(), failures.join("\n  "));
}
