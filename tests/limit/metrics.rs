//! The series of limits, as received by a recorder.

use std::time::Duration;

use halfopen::Clock;
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, LimitMetrics, Quota, RateLimiter};
use metrics_exporter_prometheus::PrometheusBuilder;

#[test]
fn rejections_and_occupancy_are_published() {
    let bulkhead = Bulkhead::new("ai", BulkheadConfig::builder().max_concurrent_calls(1).build().unwrap());
    let quota = Quota::calls(1).per(Duration::from_secs(60)).build().unwrap();
    let rate = RateLimiter::builder("tasks", quota).clock(Clock::manual().0).build();
    let keyed = KeyedRateLimiter::builder("tools", quota).clock(Clock::manual().0).build().unwrap();
    let metrics = LimitMetrics::new();
    metrics.show_bulkhead(&bulkhead);
    metrics.show_rate_limiter(&rate);
    metrics.show_keyed_rate_limiter(&keyed);

    let _permit = bulkhead.try_acquire().unwrap();
    for _ in 0..3 {
        let _ = (bulkhead.try_acquire(), rate.try_acquire(), keyed.try_acquire("list"));
    }
    let recorder = PrometheusBuilder::new().build_recorder();
    metrics::with_local_recorder(&recorder, || metrics.publish());

    let page = recorder.handle().render();
    let mut seen: Vec<&str> =
        page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            r#"bulkhead_in_flight{bulkhead="ai"} 1"#,
            r#"bulkhead_max_concurrent_calls{bulkhead="ai"} 1"#,
            r#"bulkhead_rejected_total{bulkhead="ai"} 3"#,
            r#"bulkhead_waiting{bulkhead="ai"} 0"#,
            r#"rate_limit_available{rate_limit="tasks"} 0"#,
            r#"rate_limit_evicted_total{rate_limit="tools"} 0"#,
            r#"rate_limit_keys{rate_limit="tools"} 1"#,
            r#"rate_limit_rejected_total{rate_limit="tasks"} 2"#,
            r#"rate_limit_rejected_total{rate_limit="tools"} 2"#,
            r#"rate_limit_waiting{rate_limit="tasks"} 0"#,
            r#"rate_limit_waiting{rate_limit="tools"} 0"#,
        ]
    );
}
