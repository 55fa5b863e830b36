use std::collections::HashSet;
use std::sync::Arc;

use sqlx::{Postgres, Transaction};

use super::rows::{ids, millis, signed, unsigned};
use super::tally::Tally;
use super::{PostgresStore, commit, error_of, lane_states};
use crate::store::{EntryResult, Settled, Settlement, StoreError, Then};
use crate::timestamp::Timestamp;

impl PostgresStore {
    pub(super) async fn settle_lanes(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let mut transaction = self.begin().await?;
        let settled = settle_all(&mut transaction, &settlements, now).await.map_err(error_of)?;
        commit(transaction).await?;
        Ok(settled)
    }
}

async fn settle_all(
    transaction: &mut Transaction<'_, Postgres>,
    settlements: &[Settlement],
    now: Timestamp,
) -> Result<Settled, sqlx::Error> {
    let before = Tally::lock(transaction).await?;
    let mut tally = before;
    let results = || settlements.iter().flat_map(|settlement| &settlement.results);
    let delivered = results().filter(|(_, result)| *result == EntryResult::Delivered).map(|(id, _)| *id);
    remove(transaction, &mut tally, ids(delivered)).await?;
    for (id, result) in results() {
        match result {
            EntryResult::Delivered => {}
            EntryResult::Failed { error, counted } => {
                let sql = "UPDATE halfopen_outbox_items SET attempts = attempts + $1, last_error = $2 WHERE id = $3";
                let query = sqlx::query(sql).bind(i64::from(*counted)).bind(&**error).bind(signed(*id));
                query.execute(&mut **transaction).await?;
            }
            EntryResult::Dead { error } => set_aside(transaction, &mut tally, *id, error, now).await?,
        }
    }
    if tally != before {
        tally.write(transaction).await?;
    }
    for settlement in settlements {
        change_claim(transaction, settlement).await?;
    }
    let lanes: HashSet<_> = settlements.iter().map(|settlement| Arc::clone(&settlement.lane)).collect();
    forget_empty_lanes(transaction, &lanes).await?;
    let lanes = lane_states(transaction, lanes).await?;
    Ok(Settled { lanes, totals: tally.totals(transaction).await? })
}

async fn remove(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
    ids: Vec<i64>,
) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM halfopen_outbox_items WHERE id = ANY ($1) RETURNING size";
    for row in sqlx::query(sql).bind(ids).fetch_all(&mut **transaction).await? {
        tally.items -= 1;
        tally.bytes -= unsigned(&row, "size")?;
    }
    Ok(())
}

async fn set_aside(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
    id: u64,
    error: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "WITH dead AS (DELETE FROM halfopen_outbox_items WHERE id = $3 RETURNING *)
        INSERT INTO halfopen_outbox_dead_letters
        SELECT id, lane, key, payload, size, stored_at, attempts + 1, $1, $2 FROM dead";
    let query = sqlx::query(sql).bind(error).bind(millis(now)).bind(signed(id));
    let moved = query.execute(&mut **transaction).await?.rows_affected();
    tally.items -= moved;
    tally.dead_letters += moved;
    Ok(())
}

/// Changes the claim of a lane, if the worker still has it.
async fn change_claim(
    transaction: &mut Transaction<'_, Postgres>,
    settlement: &Settlement,
) -> Result<(), sqlx::Error> {
    let (worker, free_at) = match settlement.then {
        Then::Keep(until) => (Some(&*settlement.worker), until),
        Then::Free(at) => (None, at),
    };
    let sql = "UPDATE halfopen_outbox_lanes SET worker = $1, free_at = $2 WHERE lane = $3 AND worker = $4";
    let query = sqlx::query(sql).bind(worker).bind(millis(free_at));
    query.bind(&*settlement.lane).bind(&*settlement.worker).execute(&mut **transaction).await.map(drop)
}

pub(super) async fn forget_empty_lanes(
    transaction: &mut Transaction<'_, Postgres>,
    lanes: &HashSet<Arc<str>>,
) -> Result<(), sqlx::Error> {
    let lanes: Vec<&str> = lanes.iter().map(|lane| &**lane).collect();
    let sql = "DELETE FROM halfopen_outbox_lanes AS lanes WHERE lane = ANY ($1)
        AND NOT EXISTS (SELECT 1 FROM halfopen_outbox_items AS items WHERE items.lane = lanes.lane)";
    sqlx::query(sql).bind(lanes).execute(&mut **transaction).await.map(drop)
}
