//! Run it: cargo run --example limits --features limit
//!
//! A pool of two slots with a queue of two for a slow backend, and a quota per tool in front of it. Eight calls
//! arrive together: two run, two wait, the rest are rejected, and each rejection has its reason.

#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use halfopen::{BoxError, Rejected};
use halfopen_limit::{Bulkhead, BulkheadConfig, KeyedRateLimiter, Quota};

#[derive(Clone)]
struct Tools {
    pool: Bulkhead,
    quotas: KeyedRateLimiter,
}

impl Tools {
    async fn call(&self, tool: &str) -> Result<String, Rejected> {
        self.quotas.try_acquire(tool)?;
        let _permit = self.pool.acquire().await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        Ok(format!("{tool}: done"))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let config = BulkheadConfig::builder()
        .max_concurrent_calls(2)
        .max_waiting_calls(2)
        .max_wait(Duration::from_secs(1))
        .build()?;
    let minute = Duration::from_secs(60);
    let tools = Tools {
        pool: Bulkhead::new("backend", config),
        quotas: KeyedRateLimiter::new("tools", Quota::calls(100).per(minute).build()?)
            .quota_for("create_task", Quota::calls(50).per(minute).burst(2)?),
    };

    let calls = ["create_task", "create_task", "create_task", "list", "list", "list", "show", "show"];
    let mut running = tokio::task::JoinSet::new();
    for tool in calls {
        let tools = tools.clone();
        running.spawn(async move { tools.call(tool).await });
    }
    while let Some(ended) = running.join_next().await {
        match ended? {
            Ok(answer) => println!("{answer}"),
            Err(rejected) => println!("not tried ({}): {rejected}", rejected.reason().as_str()),
        }
    }
    println!("{:#?}", tools.pool.snapshot());
    Ok(())
}
