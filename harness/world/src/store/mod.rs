//! The driver of a store: transactions become durable in order, each after the modelled latency of a write, and a crash
//! leaves what a disk may leave of those that were under way.

mod crashes;
mod database;
mod disk;
mod household;
mod workload;

pub use crashes::{CrashSweep, CrashTrial, Survivor, sweep_crashes};

use database::Tables;
use disk::{Disk, Image, Operation};
use kernel::{Micros, SimTime, event::Fact, random::Stream};
use protocol::Epoch;
use signaling::{Change, Commit, TxId};
use std::collections::VecDeque;

/// A synced write on a server's flash: a documented constant, not a measurement.
const WRITE: Micros = Micros(1_500);

/// The store of a server: it outlives the server.
#[derive(Default)]
pub(crate) struct StoreDriver {
    /// How often the server started.
    boots: u32,
    /// What a crash cannot take away any more; none before the first transaction.
    durable: Option<Image>,
    tables: Option<Tables>,
    /// A copy of what was durable, and when it was made.
    copy: Option<(Image, SimTime)>,
    under_way: VecDeque<UnderWay>,
    busy_until: SimTime,
}

/// A transaction that is not durable yet.
struct UnderWay {
    tx: TxId,
    facts: Vec<Fact>,
    since: SimTime,
    operations: Vec<Operation>,
}

/// What a server that starts again finds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// How often it started before.
    pub boots: u32,
    /// Every row of its store.
    pub rows: Vec<Change>,
    /// How many transactions made it, and how many there were at earlier starts.
    pub epoch: Epoch,
}

impl StoreDriver {
    /// The server starts. None for the first time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn mount(&mut self) -> Result<Option<Found>, redb::Error> {
        let boots = self.boots;
        self.boots += 1;
        if boots == 0 {
            return Ok(None);
        }
        let tables = self.tables()?;
        let (epoch, operations) = tables.begin(boots)?;
        let rows = tables.rows()?;
        // Nobody hears of the start before it is durable.
        let durable = self.durable.get_or_insert_default();
        operations.iter().for_each(|operation| durable.apply(operation));
        Ok(Some(Found { boots, rows, epoch }))
    }

    /// Somebody copies what is durable now.
    pub(crate) fn copy(&mut self, now: SimTime) {
        self.copy = self.durable.clone().map(|image| (image, now));
    }

    /// The copy takes the place of what is durable. Gives when it was made; none where there is no copy.
    pub(crate) fn put_back(&mut self) -> Option<SimTime> {
        let (image, at) = self.copy.clone()?;
        (self.durable, self.tables) = (Some(image), None);
        Some(at)
    }

    /// Takes a transaction, and gives the instant at which it is durable: after all earlier ones.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn commit(&mut self, commit: Commit, now: SimTime) -> Result<SimTime, redb::Error> {
        let operations = self.tables()?.commit(&commit.changes)?;
        let since = self.busy_until.max(now);
        self.busy_until = since + WRITE;
        self.under_way.push_back(UnderWay { tx: commit.tx, facts: commit.facts, since, operations });
        Ok(self.busy_until)
    }

    /// The instant of [`StoreDriver::commit`] has come: which transaction is durable.
    pub(crate) fn settle(&mut self) -> Option<TxId> {
        let settled = self.under_way.pop_front()?;
        let durable = self.durable.get_or_insert_default();
        settled.operations.iter().for_each(|operation| durable.apply(operation));
        Some(settled.tx)
    }

    /// The server crashes. Of the first transaction under way the disk did as much as time allowed; what was not yet
    /// synced survives operation by operation as the dice fall. Gives the facts of each transaction that was under way.
    pub(crate) fn crash(&mut self, now: SimTime, dice: &mut Stream) -> Vec<Vec<Fact>> {
        let under_way = std::mem::take(&mut self.under_way);
        if let (Some(first), Some(durable)) = (under_way.front(), &mut self.durable) {
            let spent = now.since(first.since).min(WRITE);
            let done = first.operations.len() as u64 * spent.0 / WRITE.0;
            let done = &first.operations[..done as usize];
            let synced = done.iter().rposition(|operation| *operation == Operation::Sync).map_or(0, |last| last + 1);
            done[..synced].iter().for_each(|operation| durable.apply(operation));
            for operation in done[synced..].iter().filter(|_| dice.below(2) == 0) {
                durable.apply(operation);
            }
        }
        self.tables = None;
        self.busy_until = SimTime::ZERO;
        under_way.into_iter().map(|lost| lost.facts).collect()
    }

    fn tables(&mut self) -> Result<&Tables, redb::Error> {
        let tables = match self.tables.take() {
            Some(tables) => tables,
            None => {
                let durable = match self.durable.take() {
                    Some(durable) => durable,
                    None => Tables::blank()?,
                };
                Tables::open(Disk::holding(self.durable.insert(durable).clone()))?
            }
        };
        Ok(self.tables.insert(tables))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::random::SeedTree;
    use signaling::TableName;

    fn row(key: u8, value: Option<&[u8]>) -> Change {
        Change { table: TableName::Edges, key: vec![key], value: value.map(<[u8]>::to_vec) }
    }

    fn commit(tx: u64, changes: Vec<Change>) -> Commit {
        let facts = vec![Fact::AccountCreated { user: format!("user {tx}").into() }];
        Commit { tx: TxId(tx), facts, changes, ..Commit::default() }
    }

    #[test]
    fn transactions_become_durable_one_after_the_other() {
        let mut store = StoreDriver::default();
        let times =
            [(1, 100), (2, 100), (3, 10_000)].map(|(tx, now)| store.commit(commit(tx, Vec::new()), SimTime(now)));
        assert_eq!(times.map(Result::unwrap), [1_600, 3_100, 11_500].map(SimTime));
        assert_eq!(
            [store.settle(), store.settle(), store.settle(), store.settle()],
            [Some(TxId(1)), Some(TxId(2)), Some(TxId(3)), None]
        );
    }

    fn transactions(found: &Found) -> (u64, Vec<u64>) {
        (found.epoch.transactions, found.epoch.starts.iter().map(|start| start.transactions).collect())
    }

    #[test]
    fn a_transaction_that_changes_no_row_counts_too() {
        let (mut store, mut dice) = (StoreDriver::default(), SeedTree::root(1).stream("crash"));
        store.mount().unwrap();
        store.commit(commit(1, Vec::new()), SimTime::ZERO).unwrap();
        store.settle();
        store.crash(SimTime(9), &mut dice);
        assert_eq!(transactions(&store.mount().unwrap().unwrap()), (1, vec![1]));
    }

    #[test]
    fn transactions_are_counted_in_the_store_and_starts_outside_of_it() {
        let (mut store, mut dice) = (StoreDriver::default(), SeedTree::root(1).stream("crash"));
        assert!(store.mount().unwrap().is_none());
        let write = |store: &mut StoreDriver, tx: u8| {
            store.commit(commit(tx.into(), vec![row(tx, Some(b"row"))]), SimTime::ZERO).unwrap();
            store.settle();
        };
        write(&mut store, 1);
        store.copy(SimTime(7));
        write(&mut store, 2);
        store.crash(SimTime(9), &mut dice);
        let found = store.mount().unwrap().unwrap();
        assert_eq!((transactions(&found), found.rows.len()), ((2, vec![2]), 2));
        write(&mut store, 3);
        store.crash(SimTime(19), &mut dice);
        assert_eq!(store.put_back(), Some(SimTime(7)));
        let found = store.mount().unwrap().unwrap();
        assert_eq!((transactions(&found), found.rows), ((1, vec![1]), vec![row(1, Some(b"row"))]));
        assert_eq!(found.epoch.starts[0].boot, 2, "the copy knows nothing of the start before");
        store.crash(SimTime(29), &mut dice);
        assert_eq!(
            transactions(&store.mount().unwrap().unwrap()),
            (1, vec![1, 1]),
            "a start that wrote nothing counts too"
        );
    }

    #[test]
    fn the_newest_starts_are_kept() {
        let (mut store, mut dice) = (StoreDriver::default(), SeedTree::root(1).stream("crash"));
        let mut last = None;
        for _ in 0..=70 {
            last = store.mount().unwrap();
            store.crash(SimTime::ZERO, &mut dice);
        }
        let starts = last.unwrap().epoch.starts;
        assert_eq!((starts.len(), starts[0].boot, starts[63].boot), (64, 7, 70));
    }

    /// Whenever it crashes, a server that starts again finds all of a transaction or nothing of it.
    #[test]
    fn a_crash_leaves_what_was_durable_and_all_or_nothing_of_what_was_under_way() {
        let mut kept = 0;
        for after in 0..=WRITE.0 {
            let mut dice = SeedTree::root(after).stream("crash");
            let mut store = StoreDriver::default();
            assert!(store.mount().unwrap().is_none());
            store.commit(commit(1, vec![row(1, Some(b"one")), row(2, Some(b"two"))]), SimTime::ZERO).unwrap();
            store.settle();
            store.commit(commit(2, vec![row(1, None), row(3, Some(b"three"))]), SimTime(5_000)).unwrap();
            let lost = store.crash(SimTime(5_000 + after), &mut dice);
            assert_eq!(lost, [commit(2, Vec::new()).facts]);
            let found = store.mount().unwrap().unwrap();
            assert_eq!(found.boots, 1);
            let before = [row(1, Some(b"one")), row(2, Some(b"two"))];
            let then = [row(2, Some(b"two")), row(3, Some(b"three"))];
            assert!(found.rows == before || found.rows == then, "{after}: {:?}", found.rows);
            kept += u64::from(found.rows == then);
        }
        assert!(kept > 0 && kept < WRITE.0, "{kept} of {} crashes kept it", WRITE.0);
    }
}
