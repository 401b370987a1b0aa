//! A table of the store in memory. It remembers which of its rows changed, so that exactly those are made durable.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::RangeBounds,
};

use super::change::{Change, TableName};

/// Rows by their keys.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Table<K: Ord, V> {
    rows: BTreeMap<K, V>,
    /// Keys of rows that changed since [`Rows::take_changes`].
    #[serde(skip)]
    changed: BTreeSet<K>,
}

impl<K: Ord, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { rows: BTreeMap::new(), changed: BTreeSet::new() }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.rows.get(key)
    }

    pub(super) fn contains_key(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// A row that is about to change.
    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let row = self.rows.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    /// A row that is about to change; the default one where there was none.
    pub(super) fn entry(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.changed.insert(key.clone());
        match self.rows.entry(key) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(row) => row.insert(V::default()),
        }
    }

    pub(super) fn insert(&mut self, key: K, row: V) {
        self.changed.insert(key.clone());
        self.rows.insert(key, row);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let row = self.rows.remove(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    /// Takes the first row out.
    pub(super) fn pop_first(&mut self) -> Option<V> {
        let (key, row) = self.rows.pop_first()?;
        self.changed.insert(key);
        Some(row)
    }

    pub(super) fn last_key(&self) -> Option<&K> {
        self.rows.last_key_value().map(|(key, _)| key)
    }

    /// Keeps the rows that are wanted.
    pub(super) fn retain(&mut self, mut is_wanted: impl FnMut(&K, &V) -> bool) {
        for (key, _) in self.rows.extract_if(.., |key, row| !is_wanted(key, row)) {
            self.changed.insert(key);
        }
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
}

impl<K, V> Rows for Table<K, V>
where
    K: Ord + Clone + Serialize + DeserializeOwned,
    V: Serialize + DeserializeOwned,
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
    fn a_row_that_cannot_be_read_is_an_error() {
        let mut table = Table::<u8, String>::default();
        let broken = Change { table: TableName::Accounts, key: vec![1], value: Some(vec![200]) };
        assert!(table.apply(&broken).is_err());
    }
}
