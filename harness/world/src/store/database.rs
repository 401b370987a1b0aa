//! The database on a disk: redb, with a table for each of the service's.

use super::disk::{Disk, Image, Operation};
use kernel::mutant;
use protocol::{Epoch, Start, epoch::MAX_STARTS};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition, TableError};
use signaling::{Change, TableName};

/// The database's cache. What it holds is small.
const CACHE_BYTES: usize = 1 << 20;

/// How often the server had started, by how many transactions there were then.
const STARTS: TableDefinition<'static, u32, u64> = TableDefinition::new("starts");
/// How many transactions made the rows: one row.
const COUNT: TableDefinition<'static, (), u64> = TableDefinition::new("transactions");

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// A store in a file format that says of itself whether it is whole.
pub(crate) struct Tables {
    disk: Disk,
    database: Database,
}

impl Tables {
    /// A disk with nothing but empty tables. A store is made beside its place and renamed into it once it is whole, so that no
    /// crash leaves half of one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn blank() -> Result<Image, redb::Error> {
        let disk = Disk::default();
        drop(Tables::open(disk.clone())?);
        Ok(disk.image())
    }

    /// What is on the disk, repaired where a crash interrupted a transaction.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn open(disk: Disk) -> Result<Tables, redb::Error> {
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(disk.clone())?;
        Ok(Tables { disk, database })
    }

    /// Every row, in the order of tables and keys.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) fn rows(&self) -> Result<Vec<Change>, redb::Error> {
        let mut rows = Vec::new();
        let reading = self.database.begin_read()?;
        for table in TableName::ALL {
            let found = match reading.open_table(rows_of(table)) {
                Err(TableError::TableDoesNotExist(_)) => continue,
                found => found?,
            };
            for row in found.iter()? {
                let (key, value) = row?;
                rows.push(Change { table, key: key.value().to_vec(), value: Some(value.value().to_vec()) });
            }
        }
        Ok(rows)
    }

    /// Writes a transaction and syncs it. Gives what that asked of the disk.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn commit(&self, changes: &[Change]) -> Result<Vec<Operation>, redb::Error> {
        // Who writes row after row has no transaction.
        let together = if mutant!(V122) { 1 } else { changes.len().max(1) };
        for changes in changes.chunks(together) {
            self.write(changes)?;
        }
        // One that changes no row (a password for nobody's account) counts like any other: who was told of it goes by that.
        if changes.is_empty() {
            self.write(changes)?;
        }
        Ok(self.disk.take_asked())
    }

    fn write(&self, changes: &[Change]) -> Result<(), redb::Error> {
        let mut writing = self.database.begin_write()?;
        writing.set_durability(Durability::Immediate)?;
        for change in changes {
            let mut table = writing.open_table(rows_of(change.table))?;
            match &change.value {
                Some(value) => drop(table.insert(&*change.key, &**value)?),
                None => drop(table.remove(&*change.key)?),
            }
        }
        {
            let mut count = writing.open_table(COUNT)?;
            let before = count.get(())?.map_or(0, |count| count.value());
            count.insert((), before + 1)?;
        }
        writing.commit()?;
        Ok(())
    }

    /// A server starts that started `boot` times before: makes that durable. Gives how far the store is, and what it asked of the
    /// disk.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn begin(&self, boot: u32) -> Result<(Epoch, Vec<Operation>), redb::Error> {
        let mut writing = self.database.begin_write()?;
        writing.set_durability(Durability::Immediate)?;
        let transactions = writing.open_table(COUNT)?.get(())?.map_or(0, |count| count.value());
        let mut starts = Vec::new();
        {
            let mut table = writing.open_table(STARTS)?;
            table.insert(boot, transactions)?;
            while table.len()? > MAX_STARTS as u64 {
                table.pop_first()?;
            }
            for row in table.iter()? {
                let (boot, transactions) = row?;
                starts.push(Start { boot: boot.value(), transactions: transactions.value() });
            }
        }
        writing.commit()?;
        Ok((Epoch { transactions, starts }, self.disk.take_asked()))
    }
}

fn rows_of(table: TableName) -> Rows {
    TableDefinition::new(table.as_str())
}
