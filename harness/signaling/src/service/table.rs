//! A table of the store in memory. It remembers which of its rows changed, so that exactly those are made durable, and what
//! a transaction read and changed, so that it can be checked and undone.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    ops::RangeBounds,
};

use super::change::{Change, RowId, TableName};

/// Rows by their keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Table<K: Ord, V> {
    rows: BTreeMap<K, V>,
    /// Keys of rows that changed since [`Rows::take_changes`].
    #[serde(skip)]
    changed: BTreeSet<K>,
    /// Keys that were looked up since [`Rows::begin`].
    #[serde(skip)]
    read: RefCell<BTreeSet<K>>,
    /// Rows that changed since [`Rows::begin`] as they were, and whether that was a change already.
    #[serde(skip)]
    before: BTreeMap<K, (Option<V>, bool)>,
}

impl<K: Ord, V> Default for Table<K, V> {
    fn default() -> Self {
        let (changed, read) = (BTreeSet::new(), RefCell::default());
        Table { rows: BTreeMap::new(), changed, read, before: BTreeMap::new() }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.read.borrow_mut().insert(key.clone());
        self.rows.get(key)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// A row that is about to change.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.read.borrow_mut().insert(key.clone());
        if !self.rows.contains_key(key) {
            return None;
        }
        self.note(key);
        self.rows.get_mut(key)
    }

    /// A row is about to change.
    fn note(&mut self, key: &K) {
        let was_changed = !self.changed.insert(key.clone());
        if !self.before.contains_key(key) {
            self.before.insert(key.clone(), (self.rows.get(key).cloned(), was_changed));
        }
    }

    /// A row that is about to change; the default one where there was none.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.note(&key);
        self.rows.entry(key).or_default()
    }

    pub(super) fn insert(&mut self, key: K, row: V) {
        self.note(&key);
        self.rows.insert(key, row);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        self.get_mut(key)?;
        self.rows.remove(key)
    }

    /// Takes the first row out.
    pub(super) fn pop_first(&mut self) -> Option<V> {
        let first = self.rows.first_key_value()?.0.clone();
        self.remove(&first)
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        self.rows.last_key_value().map(|(key, _)| key)
    }

    /// Keeps the rows that are wanted.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&K, &V) -> bool) {
        let unwanted = self.rows.iter().filter(|(key, row)| !is_wanted(key, row));
        let unwanted: Vec<K> = unwanted.map(|(key, _)| key.clone()).collect();
        unwanted.iter().for_each(|key| drop(self.remove(key)));
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.rows.values()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.rows.iter()
    }

    pub(super) fn range(&self, keys: impl RangeBounds<K>) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.rows.range(keys)
    }
}

/// A table whatever its types are.
pub(super) trait Rows {
    /// What changed since this was last asked, in the order of the keys.
    fn take_changes(&mut self, table: TableName, changes: &mut Vec<Change>);

    /// Takes over what a row is in the durable store.
    fn apply(&mut self, change: &Change) -> Result<(), postcard::Error>;

    /// A transaction begins.
    fn begin(&mut self);

    /// What the transaction looked up, in the order of the keys.
    fn read(&self, table: TableName, rows: &mut Vec<RowId>);

    /// Everything is as it was when the transaction began.
    fn undo(&mut self);
}

impl<K, V> Rows for Table<K, V>
where
    K: Ord + Clone + Serialize + DeserializeOwned,
    V: Clone + Serialize + DeserializeOwned,
{
    fn take_changes(&mut self, table: TableName, changes: &mut Vec<Change>) {
        for key in std::mem::take(&mut self.changed) {
            let value = self.rows.get(&key).map(encoded);
            changes.push(Change { table, key: encoded(&key), value });
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), postcard::Error> {
        let key = postcard::from_bytes(&change.key)?;
        match &change.value {
            Some(row) => drop(self.rows.insert(key, postcard::from_bytes(row)?)),
            None => drop(self.rows.remove(&key)),
        }
        Ok(())
    }

    fn begin(&mut self) {
        self.read.get_mut().clear();
        self.before.clear();
    }

    fn read(&self, table: TableName, rows: &mut Vec<RowId>) {
        rows.extend(self.read.borrow().iter().map(|key| RowId { table, key: encoded(key) }));
    }

    fn undo(&mut self) {
        for (key, (row, was_changed)) in std::mem::take(&mut self.before) {
            if !was_changed {
                self.changed.remove(&key);
            }
            match row {
                Some(row) => drop(self.rows.insert(key, row)),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("rows serialize into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(table: &mut Table<u8, String>) -> Vec<Change> {
        let mut changes = Vec::new();
        table.take_changes(TableName::Accounts, &mut changes);
        changes
    }

    #[test]
    fn a_table_that_takes_the_changes_of_another_is_its_equal() {
        let (mut table, mut copy) = (Table::<u8, String>::default(), Table::<u8, String>::default());
        table.insert(1, "one".into());
        table.insert(2, "two".into());
        table.insert(3, "three".into());
        changes(&mut table).iter().for_each(|change| copy.apply(change).unwrap());
        table.get_mut(&2).unwrap().push('!');
        table.entry(4).push_str("four");
        table.remove(&1);
        table.retain(|key, _| *key != 3);
        let made = changes(&mut table);
        assert_eq!(
            made.iter().map(|change| (change.key[0], change.value.is_some())).collect::<Vec<_>>(),
            [(1, false), (2, true), (3, false), (4, true)]
        );
        made.iter().for_each(|change| copy.apply(change).unwrap());
        assert_eq!(copy.rows, table.rows);
        assert_eq!(table.rows, BTreeMap::from([(2, "two!".to_owned()), (4, "four".to_owned())]));
    }

    #[test]
    fn what_was_only_read_or_was_never_there_is_no_change() {
        let mut table = Table::<u8, String>::default();
        table.insert(1, "one".into());
        changes(&mut table);
        assert!(table.get(&1).is_some() && table.get_mut(&9).is_none() && table.remove(&9).is_none());
        table.retain(|_, _| true);
        assert_eq!(changes(&mut table), []);
    }

    #[test]
    fn what_a_transaction_changed_is_undone_and_what_changed_before_is_still_a_change() {
        let mut table = Table::<u8, String>::default();
        table.insert(1, "one".into());
        table.insert(2, "two".into());
        changes(&mut table);
        table.insert(3, "three".into());
        let before = table.rows.clone();
        table.begin();
        table.remove(&1);
        table.get_mut(&2).unwrap().push('!');
        table.insert(3, "drei".into());
        table.insert(4, "four".into());
        assert!(table.get(&5).is_none());
        let mut read = Vec::new();
        table.read(TableName::Accounts, &mut read);
        assert_eq!(read.iter().map(|row| row.key[0]).collect::<Vec<_>>(), [1, 2, 5]);
        table.undo();
        assert_eq!(table.rows, before);
        assert_eq!(changes(&mut table).iter().map(|change| change.key[0]).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_an_error() {
        let mut table = Table::<u8, String>::default();
        let broken = Change { table: TableName::Accounts, key: vec![1], value: Some(vec![200]) };
        assert!(table.apply(&broken).is_err());
    }
}
