use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::append::{insert, is_stored};
use super::settle::id_list;
use super::tally::Tally;
use super::work::Work;
use super::{SqliteStore, item, lane_states, signed, unsigned};
use crate::item::Item;
use crate::store::{DeadLetter, Requeued, StoreError};
use crate::timestamp::Timestamp;

impl SqliteStore {
    pub(super) async fn read_dead_letters(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError> {
        let sql = "SELECT * FROM dead_letters WHERE id > ? ORDER BY id LIMIT ?";
        let rows = sqlx::query(sql)
            .bind(signed(after.unwrap_or(0)))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await
            .map_err(|error| self.error(error))?;
        rows.iter().map(dead_letter).collect::<Result<_, _>>().map_err(|error| self.error(error))
    }

    pub(super) async fn requeue_dead_letters(
        &self,
        ids: Vec<u64>,
        now: Timestamp,
    ) -> Result<Requeued, StoreError> {
        let failed = |error| self.error(error);
        let mut work = Work::write(&self.pool).await.map_err(failed)?;
        let requeued = requeue(work.connection(), &ids, now).await.map_err(failed)?;
        work.commit().await.map_err(failed)?;
        Ok(requeued)
    }

    pub(super) async fn remove_dead_letters(&self, ids: Vec<u64>) -> Result<u64, StoreError> {
        let failed = |error| self.error(error);
        let mut work = Work::write(&self.pool).await.map_err(failed)?;
        let mut tally = Tally::read(work.connection()).await.map_err(failed)?;
        let taken = take_dead_letters(work.connection(), &mut tally, &ids).await.map_err(failed)?;
        tally.write(work.connection()).await.map_err(failed)?;
        work.commit().await.map_err(failed)?;
        Ok(taken.len() as u64)
    }
}

async fn requeue(
    connection: &mut SqliteConnection,
    ids: &[u64],
    now: Timestamp,
) -> Result<Requeued, sqlx::Error> {
    let mut tally = Tally::read(connection).await?;
    let (mut letters, mut lanes) = (0, Vec::new());
    // One after the other: they are appended in the order of the list.
    for id in ids {
        for item in take_dead_letters(connection, &mut tally, &[*id]).await? {
            letters += 1;
            lanes.push(Arc::clone(item.shared_lane()));
            if !is_stored(connection, &item).await? {
                insert(connection, &mut tally, &item, now).await?;
            }
        }
    }
    tally.write(connection).await?;
    Ok(Requeued { letters, lanes: lane_states(connection, lanes).await? })
}

/// Removes dead letters, and returns their items.
pub(super) async fn take_dead_letters(
    connection: &mut SqliteConnection,
    tally: &mut Tally,
    ids: &[u64],
) -> Result<Vec<Item>, sqlx::Error> {
    let sql = "DELETE FROM dead_letters WHERE id IN (SELECT value FROM json_each(?))
        RETURNING lane, key, payload, size";
    let rows = sqlx::query(sql).bind(id_list(ids.iter().copied())).fetch_all(&mut *connection).await?;
    let mut items = Vec::new();
    for row in rows {
        tally.dead_letters -= 1;
        tally.bytes -= unsigned(&row, "size")?;
        items.push(item(&row, row.try_get::<String, _>("lane")?.into())?);
    }
    Ok(items)
}

fn dead_letter(row: &SqliteRow) -> Result<DeadLetter, sqlx::Error> {
    let (lane, error): (String, String) = (row.try_get("lane")?, row.try_get("error")?);
    Ok(DeadLetter {
        id: unsigned(row, "id")?,
        item: item(row, lane.into())?,
        attempts: row.try_get("attempts")?,
        error: error.into(),
        stored_at: Timestamp::from_millis(unsigned(row, "stored_at")?),
        dead_at: Timestamp::from_millis(unsigned(row, "dead_at")?),
    })
}
