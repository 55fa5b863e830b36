//! The group `database` of a document.

use std::time::Duration;

use halfopen::{CircuitBreaker, HalfOpenKind};
use halfopen_config::{Configuration, DocumentError, Format, Loader};
use halfopen_sqlx::{DatabaseKeys, ProtectedPool};
use sqlx::Sqlite;

fn load(database: &str) -> Result<Configuration, DocumentError> {
    let document = format!("breakers:\n  orders:\n    template: database\n    database: {database}\n");
    Loader::new().section::<DatabaseKeys>().text("t.yaml", Format::Yaml, document).load()
}

fn problems(database: &str) -> Vec<String> {
    match load(database) {
        Ok(loaded) => loaded.warnings().iter().map(|problem| problem.message().to_owned()).collect(),
        Err(error) => error.problems().iter().map(|problem| problem.message().to_owned()).collect(),
    }
}

#[tokio::test]
async fn a_pool_has_the_settings_of_its_document() {
    let loaded = load(
        "{ min_connections: 1, max_connections: 7, acquire_timeout: 2s, query_timeout: 3, \
         health_check_query: SELECT id FROM missing }",
    );
    let loaded = loaded.unwrap();
    let settings = loaded.settings("orders");
    let keys = settings.get::<DatabaseKeys>().unwrap();
    let options = keys.pool_options::<Sqlite>();
    assert_eq!((options.get_min_connections(), options.get_max_connections()), (1, 7));
    assert_eq!(options.get_acquire_timeout(), Duration::from_secs(2));
    let pool = options.connect_lazy("sqlite::memory:").unwrap();
    let pool = keys.apply(ProtectedPool::new(pool, CircuitBreaker::new("orders", settings.config().clone())));
    assert!(format!("{pool:?}").contains("query_timeout: Some(3s)"), "{pool:?}");
    let error = pool.health_check().await.unwrap_err();
    assert!(error.to_string().contains("missing"), "the query of the document is made: {error}");
}

#[test]
fn the_template_of_databases_tolerates_a_stale_connection() {
    let loaded = load("{}").unwrap();
    let kind = loaded.settings("orders").config().half_open().kind();
    assert!(matches!(kind, HalfOpenKind::Counts { max_failures: 1, .. }), "{kind:?}");
}

#[test]
fn values_that_cannot_work_are_errors_with_their_range() {
    assert_eq!(
        problems("{ min_connections: 9, max_connections: 7 }"),
        ["`breakers.orders.database.min_connections` is 9, but must be at most `max_connections`, 7"]
    );
    assert_eq!(
        problems("{ query_timeout: 0 }"),
        ["`breakers.orders.database.query_timeout` is 0s, but must be longer than zero"]
    );
    assert_eq!(
        problems("{ acquire_timeout: 30s, query_timeout: 3s }"),
        [
            "`breakers.orders.database.acquire_timeout` is 30s, and has no effect: `query_timeout` ends the wait after 3s"
        ]
    );
    assert!(!problems("{ max_connections: 0 }").is_empty());
}
