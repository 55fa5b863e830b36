use std::sync::Arc;

use sqlx::{Postgres, Transaction};

use super::rows::{dead_letter, ids, item, lane_of, signed, unsigned};
use super::tally::Tally;
use super::{PostgresStore, append, commit, error_of, lane_states, rows_limit};
use crate::item::Item;
use crate::store::{DeadLetter, Requeued, StoreError};
use crate::timestamp::Timestamp;

impl PostgresStore {
    pub(super) async fn read_dead_letters(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = "SELECT * FROM halfopen_outbox_dead_letters WHERE id > $1 ORDER BY id LIMIT $2";
        let query = sqlx::query(sql).bind(signed(after.unwrap_or(0))).bind(rows_limit(limit));
        let rows = query.fetch_all(&self.pool).await.map_err(error_of)?;
        rows.iter().map(dead_letter).collect::<Result<_, _>>().map_err(error_of)
    }

    pub(super) async fn requeue_dead_letters(
        &self,
        ids: Vec<u64>,
        now: Timestamp,
    ) -> Result<Requeued, StoreError> {
        let mut transaction = self.begin().await?;
        let requeued = requeue(&mut transaction, &ids, now).await.map_err(error_of)?;
        commit(transaction).await?;
        Ok(requeued)
    }

    pub(super) async fn remove_dead_letters(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let mut tally = Tally::lock(&mut transaction).await.map_err(error_of)?;
        let taken = take_dead_letters(&mut transaction, &mut tally, ids).await.map_err(error_of)?;
        tally.write(&mut transaction).await.map_err(error_of)?;
        commit(transaction).await?;
        Ok(taken.len() as u64)
    }
}

async fn requeue(
    transaction: &mut Transaction<'_, Postgres>,
    ids: &[u64],
    now: Timestamp,
) -> Result<Requeued, sqlx::Error> {
    let mut tally = Tally::lock(transaction).await?;
    let (mut letters, mut lanes) = (0, Vec::new());
    // One after the other: they are appended in the order of the list.
    for id in ids {
        for item in take_dead_letters(transaction, &mut tally, [*id]).await? {
            letters += 1;
            lanes.push(Arc::clone(item.shared_lane()));
            if !append::has_duplicates(transaction, std::slice::from_ref(&item)).await? {
                append::insert(transaction, &mut tally, &[item], now).await?;
            }
        }
    }
    tally.write(transaction).await?;
    Ok(Requeued { letters, lanes: lane_states(transaction, lanes).await? })
}

/// Removes dead letters, and returns their items.
pub(super) async fn take_dead_letters(
    transaction: &mut Transaction<'_, Postgres>,
    tally: &mut Tally,
    letters: impl IntoIterator<Item = u64>,
) -> Result<Vec<Item>, sqlx::Error> {
    let sql =
        "DELETE FROM halfopen_outbox_dead_letters WHERE id = ANY ($1) RETURNING lane, key, payload, size";
    let rows = sqlx::query(sql).bind(ids(letters)).fetch_all(&mut **transaction).await?;
    let mut items = Vec::new();
    for row in rows {
        tally.dead_letters -= 1;
        tally.bytes -= unsigned(&row, "size")?;
        items.push(item(&row, lane_of(&row)?)?);
    }
    Ok(items)
}
