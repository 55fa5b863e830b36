use std::sync::Arc;

use sqlx::SqliteConnection;

use super::tally::Tally;
use super::work::Work;
use super::{SqliteStore, lane_states, signed, unsigned};
use crate::store::{EntryResult, Settled, Settlement, StoreError};
use crate::timestamp::Timestamp;

impl SqliteStore {
    pub(super) async fn settle_lanes(
        &self,
        settlements: Vec<Settlement>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let failed = |error| self.error(error);
        let changes = settlements.iter().any(|settlement| !settlement.results.is_empty());
        let work = if changes { Work::write(&self.pool).await } else { Work::read(&self.pool).await };
        let mut work = work.map_err(failed)?;
        let settled = settle_all(work.connection(), &settlements, now).await.map_err(failed)?;
        work.commit().await.map_err(failed)?;
        let mut leader = self.leader();
        settlements.iter().for_each(|settlement| leader.settle(settlement));
        settled.lanes.iter().filter(|state| !state.has_items).for_each(|state| leader.forget(&state.lane));
        drop(leader);
        Ok(settled)
    }
}

async fn settle_all(
    connection: &mut SqliteConnection,
    settlements: &[Settlement],
    now: Timestamp,
) -> Result<Settled, sqlx::Error> {
    let before = Tally::read(connection).await?;
    let mut tally = before;
    let results = || settlements.iter().flat_map(|settlement| &settlement.results);
    let delivered = results().filter(|(_, result)| *result == EntryResult::Delivered).map(|(id, _)| *id);
    remove(connection, &mut tally, &id_list(delivered)).await?;
    for (id, result) in results() {
        match result {
            EntryResult::Delivered => {}
            EntryResult::Failed { error, counted } => {
                let sql = "UPDATE items SET attempts = attempts + ?, last_error = ? WHERE id = ?";
                let query = sqlx::query(sql).bind(*counted).bind(&**error).bind(signed(*id));
                query.execute(&mut *connection).await?;
            }
            EntryResult::Dead { error } => set_aside(connection, &mut tally, *id, error, now).await?,
        }
    }
    if tally != before {
        tally.write(connection).await?;
    }
    let lanes = settlements.iter().map(|settlement| Arc::clone(&settlement.lane));
    let lanes = lane_states(connection, lanes).await?;
    Ok(Settled { lanes, totals: tally.totals(connection).await? })
}

async fn remove(connection: &mut SqliteConnection, tally: &mut Tally, ids: &str) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM items WHERE id IN (SELECT value FROM json_each(?)) RETURNING size";
    for row in sqlx::query(sql).bind(ids).fetch_all(&mut *connection).await? {
        tally.items -= 1;
        tally.bytes -= unsigned(&row, "size")?;
    }
    Ok(())
}

async fn set_aside(
    connection: &mut SqliteConnection,
    tally: &mut Tally,
    id: u64,
    error: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "INSERT INTO dead_letters
        SELECT id, lane, key, payload, size, stored_at, attempts + 1, ?, ? FROM items WHERE id = ?";
    let query = sqlx::query(sql).bind(error).bind(signed(now.as_millis())).bind(signed(id));
    let moved = query.execute(&mut *connection).await?.rows_affected();
    sqlx::query("DELETE FROM items WHERE id = ?").bind(signed(id)).execute(&mut *connection).await?;
    tally.items -= moved;
    tally.dead_letters += moved;
    Ok(())
}

/// A list of identifiers as an array of JSON, which one parameter can hold.
pub(super) fn id_list(ids: impl IntoIterator<Item = u64>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    format!("[{}]", ids.join(","))
}
